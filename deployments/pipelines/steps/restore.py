"""The steps of a restore: look, stop writes, make the new database, count what is lost, exchange, and count again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checks.words import amount
from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import KeptDatabase
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.pricing import price_in, told_price
from deployments.pipelines.record import persist
from deployments.pipelines.restored import note_schema
from deployments.pipelines.restoring import (
    content_of,
    manifest_of,
    pooler,
    require_planned,
    require_room,
    session_in,
    swap_of,
)
from deployments.pipelines.steps.verify import BackupDiffers, restored_into
from deployments.postgres.backup.properties import Properties, carry
from deployments.postgres.backup.scratch import Purpose, Scratch
from deployments.postgres.connect import DRIVER_ERROR, session
from deployments.postgres.price.origin import read_origin
from deployments.postgres.swap.blockers import staying
from deployments.postgres.swap.carried import not_carried
from deployments.postgres.swap.errors import NameTaken
from deployments.postgres.swap.exchange import exchange
from deployments.postgres.swap.kept import close_again, kept_database, size_of, take_back
from deployments.postgres.swap.ledger import make_ready, prepare
from deployments.postgres.swap.server import ALL, State, allow, drop, elsewhere, look, maintenance, require_allowed
from deployments.postgres.swap.writes import stop_writes
from deployments.selectors.lives import STOP_WRITES, jobs_that_wrote
from deployments.services.restore import keep_database

COUNTING_SECONDS = 60.0  # before the exchange: somebody waits for it
COUNTING_AFTER_SECONDS = 900.0
NOW = "SELECT pg_catalog.clock_timestamp(), pg_catalog.pg_current_wal_lsn()::text"


@dataclass(frozen=True, slots=True)
class LookBeforeRestore:
    """Whether it can be done, what a restored database will not have, and what it would lose as of now."""

    name: str = "preflight"
    timeout: timedelta = timedelta(minutes=30)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what was found. Raises PlanMoved, SwapNotAllowed, NameTaken, KeptMissing, BackupUnreadable."""
        swap, planned = swap_of(ctx), ctx.plan["restore"]
        wanted = None
        if planned["from"] == "backup":
            wanted = Properties.of_manifest(manifest_of(ctx)[1].content["database"])
        else:
            kept_database(swap, name=planned["name"], oid=planned["oid"])
        with maintenance(swap, of=0) as opened:
            require_allowed(opened, swap)
            there = {row[1] for row in opened.execute(ALL).fetchall()}
            if swap.names.kept in there:
                raise NameTaken(target=ctx.target.name, name=swap.names.kept)
            blockers = staying(opened, swap.production)
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            require_planned(ctx, opened)
            free = require_room(ctx, opened, wanted.size_bytes if wanted else 0)
            named = not_carried(opened, wanted)
            price = price_in(opened, content_of(ctx), seconds=COUNTING_SECONDS)
        for line in (*named, *blockers):
            ctx.log(line)
        told = f" {len(blockers)} session(s) or transactions stand in the way now." if blockers else ""
        told += "" if free is not None else " Whether the server has room for both was not measured."
        return StepResult(
            summary=f"{told_price(price)} {len(named)} thing(s) do not come along.{told}",
            evidence={"price": price.as_evidence(), "not_carried": named, "in_the_way": blockers, "free_bytes": free},
        )

    def settled(self, ctx: StepContext) -> StepResult | None:  # noqa: ARG002 # it changes nothing
        """It is done anew: what it found is of then."""
        return None


@dataclass(frozen=True, slots=True)
class StopWrites:
    """Have sessions of the application only read, from here to the exchange, if the plan says so."""

    name: str = STOP_WRITES
    timeout: timedelta = timedelta(minutes=5)

    def run(self, ctx: StepContext) -> StepResult:
        """Return how many sessions were ended. Raises FenceLost, and what opening a session raises."""
        if not ctx.plan["restore"]["stop_writes"]:
            return StepResult(is_skipped=True, summary="Writes go on until the exchange: what is written is lost.")
        ended = stop_writes(swap_of(ctx))
        if ended is None:
            return StepResult(is_skipped=True, summary="The database was set to read only before, by somebody else.")
        return StepResult(
            summary=f"Every new session only reads, unless it says otherwise itself; {ended} were ended to begin anew.",
            evidence={"ended": ended},
        )

    def settled(self, ctx: StepContext) -> StepResult | None:  # noqa: ARG002 # see below
        """It is done anew: an executor that comes later lets sessions write again before anything else."""
        return None


@dataclass(frozen=True, slots=True)
class MakeReady:
    """Restore the backup into a new database and compare it; or open the one that was kept, which stays as it was."""

    name: str = "restore"
    timeout: timedelta = timedelta(hours=12)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what is ready. Raises BackupDiffers, and what restoring and opening sessions raise."""
        if done := self.settled(ctx):
            return done
        swap, planned = swap_of(ctx), ctx.plan["restore"]
        if planned["from"] == "kept":
            take_back(swap, name=planned["name"], oid=planned["oid"])
            return _ready(ctx, f"{planned['name']} is open again, as it was when it was kept.", {})
        backup, manifest = manifest_of(ctx)
        building = str(Scratch.named(ctx.control_plane_id, Purpose.RESTORE, job=ctx.holder.job, fence=ctx.holder.fence))
        restored = restored_into(ctx, elsewhere(swap), manifest, building, backup)
        with maintenance(swap, of=0) as opened:
            if restored.compared.differences:
                drop(opened, building)
                raise BackupDiffers(place=backup.place, compared=restored.compared)
            carry(opened, building, Properties.of_manifest(manifest.content["database"]), with_grants=True)
        with session_in(ctx, building) as opened:
            opened.execute("SET statement_timeout = 0")
            opened.execute("SET default_transaction_read_only = off")  # the backup may be of while writes were stopped
            opened.execute("ANALYZE")
        known = jobs_that_wrote(ctx.job.database)
        prepare(swap, building, control_plane_id=ctx.control_plane_id, known=lambda: known)
        make_ready(swap, building)
        compared, seconds = restored.compared, sum(restored.seconds.values())
        return _ready(
            ctx,
            f"{compared.rows:,} rows in {compared.tables} tables restored in {seconds:.0f} s: {compared.word}.",
            compared.as_evidence() | {"seconds": restored.seconds},
        )

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done if there is a database that this executor may swap in: it was compared before it got that name."""
        with maintenance(swap_of(ctx), of=0) as opened:
            found = look(opened, swap_of(ctx))
        if found.state is State.READY:
            return _ready(ctx, "An earlier attempt restored and compared it.", {})
        if found.state is State.SWAPPED:
            return StepResult(summary="It was restored, compared and exchanged by an earlier attempt.")
        return None


@dataclass(frozen=True, slots=True)
class CountLost:
    """Count what was written since, right before it is lost."""

    name: str = "price"
    timeout: timedelta = timedelta(minutes=30)

    def run(self, ctx: StepContext) -> StepResult:
        """Return the price as of now. Raises what opening a session raises."""
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            price = price_in(opened, content_of(ctx), seconds=COUNTING_SECONDS)
        return StepResult(summary=told_price(price), evidence={"price": price.as_evidence()})

    def settled(self, ctx: StepContext) -> StepResult | None:
        """After the exchange there is nothing more to count here; the next step does it from what was kept."""
        with maintenance(swap_of(ctx), of=0) as opened:
            if look(opened, swap_of(ctx)).state is State.SWAPPED:
                return StepResult(summary="Not counted once more: the databases were exchanged.", is_skipped=True)
        return None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Give the new database the application's name."""

    name: str = "swap"
    timeout: timedelta = timedelta(minutes=15)

    def run(self, ctx: StepContext) -> StepResult:
        """Return how long nobody could enter. Raises SwapBlocked, SwapUnknown, PoolerRefused, InDoubt."""
        if done := self.settled(ctx):
            return done
        swap = swap_of(ctx)
        size = size_of(swap)
        done_in = exchange(swap, pooler=pooler(), stop=ctx.control, log=ctx.log)
        kept = _keep(ctx, name=done_in.kept.name, oid=done_in.kept.oid, size_bytes=size)
        return _exchanged(kept, {"unreachable_seconds": round(done_in.unreachable_seconds, 3), "ended": done_in.ended})

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done exactly if the old database has the name by which this job keeps it."""
        swap = swap_of(ctx)
        with maintenance(swap, of=0) as opened:
            found = look(opened, swap)
        if found.kept is None:
            return None
        kept = _keep(ctx, name=found.kept.name, oid=found.kept.oid, size_bytes=size_of(swap))
        return _exchanged(kept, {})


@dataclass(frozen=True, slots=True)
class CountAfterwards:
    """Expect the schema that is there now, and count what was lost from the database that is kept."""

    name: str = "differences"
    timeout: timedelta = timedelta(hours=1)

    def run(self, ctx: StepContext) -> StepResult:
        """Return the exact differences; where they cannot be had, why. Raises what waiting for a target raises."""
        schema = note_schema(ctx, is_left=True)
        swap, kept = swap_of(ctx), KeptDatabase.objects.get(job=ctx.job)
        try:
            with maintenance(swap, of=kept.oid) as opened:
                allow(opened, kept.name, is_open=True)
                try:
                    with session_in(ctx, kept.name) as inside:
                        price = price_in(inside, content_of(ctx), seconds=COUNTING_AFTER_SECONDS)
                finally:
                    close_again(swap, kept.name)
        except (DeploymentError, DRIVER_ERROR) as refused:
            ctx.control.require_may_start()
            why = refused.code if isinstance(refused, DeploymentError) else type(refused).__name__
            return StepResult(f"What was lost was not counted from {kept.name} ({why}).", {"schema": schema})
        return StepResult(
            f"{told_price(price)} Counted in {kept.name}.", {"schema": schema, "price": price.as_evidence()}
        )

    def settled(self, ctx: StepContext) -> StepResult | None:
        """It is counted anew; what an earlier attempt opened is closed first."""
        close_again(swap_of(ctx), KeptDatabase.objects.get(job=ctx.job).name)
        return None


def _ready(ctx: StepContext, summary: str, found: dict[str, Any]) -> StepResult:
    """Return the result with what the new database holds now, for the price of an undo."""
    swap = swap_of(ctx)
    rows = content_of(ctx).get("rows", {})
    is_kept = ctx.plan["restore"]["from"] == "kept"  # it was written in after its rows were counted
    with session_in(ctx, swap.mine) as opened, opened.transaction():
        origin = read_origin(opened)
        at, lsn = opened.execute(NOW).fetchone() or (None, "")
    baseline = {
        "origin": origin.as_manifest(),
        "rows": {name: None if is_kept else count for name, count in dict(rows).items()},  # type: ignore[call-overload]
        "snapshot": {"at": at.isoformat() if at else "", "lsn": lsn},
        "server": {"system_identifier": ctx.planned_database["system_identifier"]},
    }
    return StepResult(summary, found | {"ready": swap.mine, "baseline": baseline})


def _keep(ctx: StepContext, *, name: str, oid: int, size_bytes: int) -> KeptDatabase:
    baseline = ctx.evidence_of("restore").get("baseline", {})
    made: list[KeptDatabase] = []

    def write() -> None:
        made.append(
            keep_database(
                ctx.job,
                fence=ctx.holder.fence,
                name=name,
                oid=oid,
                size_bytes=size_bytes,
                baseline=baseline,
                actor=EXECUTOR,
            )
        )

    persist(write, is_written=KeptDatabase.objects.filter(job=ctx.job).exists)
    return made[0] if made else KeptDatabase.objects.get(job=ctx.job)


def _exchanged(kept: KeptDatabase, found: dict[str, Any]) -> StepResult:
    took = f" Nobody could enter for {found['unreachable_seconds']:.2f} s." if found else ""
    return StepResult(
        f"Exchanged.{took} The old database, {amount(kept.bytes)}, is kept as {kept.name} until "
        f"{kept.keep_until:%Y-%m-%d %H:%M} UTC, and lets nobody in.",
        found | {"kept": kept.name, "oid": kept.oid, "bytes": kept.bytes, "until": kept.keep_until.isoformat()},
    )
