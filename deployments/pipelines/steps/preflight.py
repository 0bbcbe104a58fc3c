"""The step before anything is touched: can it be done, is the world as it was planned, and how is it now?"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checks.model.saved import NUMBERS_PER_MAJOR
from checks.policy.backups import PG_DUMP
from checks.policy.collisions import LONGEST_WAIT_SECONDS
from deployments.errors import DeploymentError
from deployments.models.run import RunKind
from deployments.pipelines.asking import looking
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.steps.batches import are_planned
from deployments.pipelines.steps.collisions import see_to_collisions
from deployments.pipelines.steps.drift import see_to_drift
from deployments.pipelines.steps.driven import configured, driver_of
from deployments.pipelines.windows import require_window
from deployments.pipelines.world import require_as_planned
from deployments.postgres.batches.ledger import require_batch_table
from deployments.postgres.catalog import Observed
from deployments.postgres.clients import asks_for_tls
from deployments.postgres.connect import session
from deployments.postgres.ledger import has_begun
from deployments.postgres.privileges import require_owner_role


class DiskTooSmall(DeploymentError):
    """The artifacts store has less room than the backup may need."""

    code = "disk-too-small"

    def __init__(self, *, free: int, wanted: int) -> None:
        super().__init__(
            f"The artifacts store has {megabytes(free)} free, and a backup may need {megabytes(wanted)}. "
            "Nothing was changed. Make room there, then ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Preflight:
    """Look at target, store and application without changing them. A second attempt looks again."""

    name: str = "preflight"
    timeout: timedelta = timedelta(seconds=LONGEST_WAIT_SECONDS) + timedelta(minutes=5)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what was found. Raises what stands in the way; a way back is warned instead of held up by the store.

        The application's health is the baseline that later steps compare with; a bad one refuses nothing, because the
        migration may be the remedy.
        """
        require_window(ctx)
        with session(ctx.target, name=ctx.holder.session_name) as opened, looking(ctx, opened):
            seen = require_as_planned(opened, ctx)
            is_begun = has_begun(opened, ctx.job.pk)
            require_owner_role(opened, ctx.target)
            if are_planned(ctx.plan):
                require_batch_table(opened, ctx.target)
        collided = see_to_collisions(ctx)
        evidence: dict[str, Any] = {
            "server_version": seen.server_version,
            "system_identifier": seen.identity.system_identifier,
            "database_name": seen.identity.database_name,
            "applied": len(seen.history),
            "collisions": collided.as_evidence(),
        }
        version = seen.server_version
        major, minor = divmod(version, NUMBERS_PER_MAJOR)
        told = [f"PostgreSQL {major}.{minor}, {seen.identity.database_name}: as planned."]
        told += collided.in_words()
        # Once this job has begun, what differs is its own.
        told += [] if is_begun else see_to_drift(ctx, seen.snapshot, evidence)
        told += self._store(ctx, seen, evidence)
        told += self._health(ctx, evidence)
        return StepResult(summary=" ".join(told), evidence=evidence)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None

    def _store(self, ctx: StepContext, seen: Observed, evidence: dict[str, Any]) -> list[str]:
        """Look whether a dump could be made and kept, if one will be asked for."""
        is_way_back = ctx.plan["kind"] == RunKind.ROLLBACK
        if not is_way_back and not ctx.plan["requirements"]["backup"]:
            return []
        if not is_way_back and (name := driver_of(ctx)) != PG_DUMP:
            configured(name).require_usable()
            ctx.artifacts.require_writable()
            return [f"The backup driver {name} can be run."]
        try:
            client = ctx.clients.newest_for(
                seen.server_version, tls=asks_for_tls(ctx.target), is_protected=ctx.job.run.environment.is_protected
            )
            ctx.artifacts.require_writable()
            free = ctx.artifacts.free_bytes()
            # What the tables hold now; an archive is compressed and has no indexes, so it stays below that.
            wanted = 0 if is_way_back else sum(one["bytes"] or 0 for one in seen.sizes.values())
            if free < wanted:
                raise DiskTooSmall(free=free, wanted=wanted)
        except DeploymentError as refusal:
            if not is_way_back:
                raise
            evidence["warnings"] = [str(refusal)]
            ctx.log(f"Not in order, but the way back goes on: {refusal}")
            return [f"Warning: {refusal.code}."]
        evidence["store"] = {"free_bytes": free, "wanted_bytes": wanted, "pg_dump": client.version}
        return [f"pg_dump {client.version}, {megabytes(free)} free in the artifacts store."]

    def _health(self, ctx: StepContext, evidence: dict[str, Any]) -> list[str]:
        if ctx.health is None:
            return ["Health was not measured: no check is configured."]
        reading = ctx.prober.ask(ctx.health)
        evidence["health"] = reading.as_evidence()
        return ["The application is healthy." if reading.is_healthy else f"The application is unhealthy: {reading.why}"]


def megabytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 10**6:,.0f} MB" if size < 10**10 else f"{size / 10**9:,.0f} GB"
