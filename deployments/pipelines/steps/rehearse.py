"""The one step of a rehearsal: a clone of the target on the rehearsal server, the plan played on it, the proof kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings

from checks.rehearsal.proof import Outcome, Proof
from checks.rehearsal.queries import Query, Registered, frequent, registered
from checks.schema import fingerprint
from checks.words import amount
from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import Backup, Rehearsal, Script
from deployments.models.backup import BackupScope, CheckOutcome
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.observing import rehearsal_target_of
from deployments.pipelines.record import persist
from deployments.pipelines.steps.backup import found_backup, make_backup
from deployments.pipelines.steps.verify import is_alive, noted, restored_into
from deployments.postgres.backup.archive import BackupUnreadable, Manifest, compare_with_manifest
from deployments.postgres.backup.scratch import Purpose, Scratch
from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import ANSWERED, LINK_ERRORS, Target, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.rehearsal.databases import Databases, drop_left_copies, size_of
from deployments.postgres.rehearsal.frequent import frequent_queries
from deployments.postgres.rehearsal.masking import mask
from deployments.postgres.rehearsal.neutral import neutralise
from deployments.postgres.rehearsal.play import play
from deployments.postgres.rehearsal.roles import acting_role
from deployments.postgres.rehearsal.scripts import Rehearsed, rehearsed
from deployments.selectors.measured_rates import rates_shown
from deployments.services.rehearse import NoRehearsalServer, keep_rehearsal

GB = 10**9


class TooLargeToRehearse(DeploymentError):
    """The target is larger than what is copied for a rehearsal."""

    code = "too-large-to-rehearse"

    def __init__(self, *, target: str, size_bytes: int, largest_bytes: int) -> None:
        super().__init__(
            f"{target} has {amount(size_bytes)}, and up to {amount(largest_bytes)} are copied for a rehearsal. Nothing "
            "was copied, and its way back is not proven. Rehearse on a smaller environment with the same schema, or "
            "raise REHEARSAL_LARGEST_GB."
        )


@dataclass(frozen=True, slots=True)
class Rehearse:
    """Play the plan and its way back on a clone. A second attempt begins with a new one, and drops what was left."""

    name: str = "rehearse"
    timeout: timedelta = timedelta(hours=6)

    def run(self, ctx: StepContext) -> StepResult:
        """Return the proof as evidence, whatever it says: a way back that is not proven is a result, and no failure.

        Raises NoRehearsalServer, TooLargeToRehearse, and what dumping, restoring and opening sessions raise.
        """
        server = rehearsal_target_of(ctx.job.database)
        if server is None:
            raise NoRehearsalServer(environment=str(ctx.job.run.environment))
        name = ctx.holder.session_name
        if dropped := drop_left_copies(server, ctx.control_plane_id, is_alive=partial(is_alive, ctx), name=name):
            ctx.log(f"Dropped what earlier executors had left on {server.name}: {', '.join(dropped)}")
        migrations = [_rehearsed(entry) for entry in ctx.plan["migrations"]]
        with _clone(ctx, server) as (databases, clone):
            with databases.session(clone) as opened:
                neutralised = neutralise(opened)
                acts = acting_role(opened, _role_of(ctx))
            for told in neutralised:
                ctx.log(told)
            try:
                masked = _masked(ctx, databases, clone, acts)
                queries, unplanned = _queries(ctx)
                proof = play(
                    databases,
                    clone,
                    migrations,
                    owner_role=acts,
                    neutralised=neutralised,
                    masked=masked,
                    queries=queries,
                    tell=_tell(ctx),
                )
            except LINK_ERRORS as cut:
                if isinstance(cut, ANSWERED):
                    raise
                raise TargetUnreachable.by(cut, target=server.name) from cut
        proof = replace(
            proof,
            unplanned=(*unplanned, *proof.unplanned),
            measured=tuple(rates_shown(ctx.job.database, ctx.plan, proof)),
        )
        kept: list[Rehearsal] = []
        persist(
            lambda: kept.append(keep_rehearsal(ctx.job, proof, fence=ctx.holder.fence, actor=EXECUTOR)),
            is_written=Rehearsal.objects.filter(job=ctx.job).exists,
        )
        return _result(proof)

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done exactly if its proof is kept."""
        found = Rehearsal.objects.filter(job=ctx.job).first()
        return None if found is None else _result(Proof.of_evidence(found.proof))


@contextmanager
def _clone(ctx: StepContext, server: Target) -> Iterator[tuple[Databases, str]]:
    """Have a clone of the target for the length of the block, from a backup of its schema of now."""
    with session(ctx.target, name=ctx.holder.session_name) as opened:
        size = size_of(opened)
        with opened.transaction():
            now = fingerprint(snapshot(opened))
    largest = settings.CONFIGURATION.rehearsal_largest_gb * GB
    if size > largest:
        raise TooLargeToRehearse(target=ctx.target.name, size_bytes=size, largest_bytes=largest)
    backup, manifest = _backup(ctx, now)
    clone = str(Scratch.named(ctx.control_plane_id, Purpose.REHEARSE, job=ctx.holder.job, fence=ctx.holder.fence))
    ctx.log(f"Restoring the backup in {backup.place} into {clone} on {server.name}")
    restored = restored_into(ctx, server, manifest, clone, backup)
    with Databases(server, prefix=clone, name=ctx.holder.session_name, stop=ctx.control) as databases:
        try:
            noted(ctx, backup, restored, server)
            yield databases, clone
        finally:
            databases.drop(clone)


def _backup(ctx: StepContext, schema: str) -> tuple[Backup, Manifest]:
    """Return the freshest verified backup that has the target's schema of now, else one that is made for this."""
    kept = Backup.objects.filter(job__database=ctx.job.database_id, scope=BackupScope.DATABASE, expiry__isnull=True)
    for backup in kept.order_by("-snapshot_at")[:5]:
        newest = backup.checks.order_by("-pk").first()
        if newest is None or newest.outcome != CheckOutcome.EQUAL:
            continue
        try:
            manifest = _manifest(ctx, backup)
        except BackupUnreadable as damaged:
            ctx.log(str(damaged))
            continue
        if manifest.content["schema_fingerprint"] == schema:
            return backup, manifest
    made = found_backup(ctx, BackupScope.DATABASE) or make_backup(ctx, BackupScope.DATABASE)
    backup = Backup.objects.get(place=made.evidence["place"])
    return backup, _manifest(ctx, backup)


def _manifest(ctx: StepContext, backup: Backup) -> Manifest:
    return compare_with_manifest(ctx.artifacts.path(backup.place), recorded=backup.manifest_sha256, stop=ctx.control)


def _masked(ctx: StepContext, databases: Databases, clone: str, acts: str) -> str:
    """Mask the clone's data if the plan names a script for it; return what that did, "" if none."""
    script = ctx.plan.get("masking")
    if not script:
        return ""
    done = mask(databases, clone, Script.objects.get(pk=script).text(), owner_role=acts, tell=_tell(ctx))
    ctx.log(done)
    return done


def _queries(ctx: StepContext) -> tuple[list[Query], list[str]]:
    """Return the queries whose plans are compared, registered ones first, and of which others nothing is known."""
    script = ctx.plan.get("queries")
    found = registered(Script.objects.get(pk=script).text()) if script else Registered()
    with session(ctx.target, name=ctx.holder.session_name) as opened:
        counted = frequent_queries(opened)
    queries = {one.name: one for one in (*found.queries, *frequent(counted.texts))}
    return list(queries.values()), [*found.refused, *([counted.why] if counted.why else [])]


def _rehearsed(entry: dict[str, Any]) -> Rehearsed:
    texts = {
        part: Script.objects.get(pk=entry[part]).text() for part in ("forward", "rollback", "verify") if entry[part]
    }
    return rehearsed(
        entry["name"], forward=texts["forward"], rollback=texts.get("rollback"), verify=texts.get("verify")
    )


def _role_of(ctx: StepContext) -> str:
    """Return who changes objects in the target."""
    if ctx.target.owner_role:
        return ctx.target.owner_role
    with session(ctx.target, name=ctx.holder.session_name) as opened:
        return opened.info.user


def _tell(ctx: StepContext) -> Callable[[str], None]:
    def tell(what: str) -> None:
        ctx.progress({"doing": what})
        ctx.log(what)

    return tell


def _result(proof: Proof) -> StepResult:
    copied = f"Played on a clone of {amount(proof.clone_bytes)} in {proof.seconds:.0f} s, in {len(proof.tries)} tries"
    verdict = proof.sentence if proof.outcome is Outcome.NOT_PROVEN else f"proven, {proof.sentence}"
    return StepResult(summary=f"Way back: {verdict}. {copied}.", evidence={"proof": proof.as_evidence()})
