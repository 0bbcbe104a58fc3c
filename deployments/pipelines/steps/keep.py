"""The step of a way back that first keeps what its scripts destroy: those tables alone, up to a limit."""

from dataclasses import dataclass, replace
from datetime import timedelta

from checks.losses import Losses, losses
from deployments.artifacts import ArtifactsFull, ArtifactsNotWritable
from deployments.models import Script
from deployments.models.backup import BackupScope
from deployments.pipelines.asking import looking
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.steps.backup import found_backup, make_backup
from deployments.postgres.backup.archive import BackupUnreadable
from deployments.postgres.backup.dump import BackupFailed
from deployments.postgres.clients import PgDumpKnownBad, PgDumpMissing, PgDumpTooOld, PgDumpWithoutTls
from deployments.postgres.connect import session
from deployments.postgres.destroyed import Destroyed, find_destroyed
from deployments.postgres.programs import ConnectionNotPortable
from deployments.postgres.stopped import GuardLost, OverBudget

MOST_NAMED = 10
NOT_TO_BE_HAD = (
    ArtifactsFull,
    ArtifactsNotWritable,
    BackupFailed,
    BackupUnreadable,
    ConnectionNotPortable,
    GuardLost,
    OverBudget,
    PgDumpKnownBad,
    PgDumpMissing,
    PgDumpTooOld,
    PgDumpWithoutTls,
)
"""What keeps a dump from being made, and a way back from nothing."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Dump the tables that lose data. A second attempt makes a new dump and removes the unfinished one.

    What is not kept is said, with its size or with what was in the way: a full disk does not hold up the way back.
    """

    name: str = "keep"
    timeout: timedelta = timedelta(hours=1)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what was kept, or why nothing was. Raises what opening a session raises, and PlanMoved."""
        lost = lost_by_plan(ctx)
        if not lost.tables and not lost.schemas:
            return _nothing(lost, "The scripts destroy no data." if not lost.unknown else "Nothing was kept.")
        if found := found_backup(ctx, BackupScope.TABLES):
            return _with_doubts(found, lost)
        with session(ctx.target, name=ctx.holder.session_name) as opened, looking(ctx, opened):
            destroyed = find_destroyed(opened, ctx.target, lost)
        if not destroyed.tables and not destroyed.elsewhere:
            return _nothing(lost, "What the scripts destroy is not in the target: there was nothing to keep.")
        if why := _why_not(destroyed, limit=ctx.keep_limit):
            return _nothing(lost, why, destroyed)
        try:
            kept = make_backup(ctx, BackupScope.TABLES, only=destroyed.tables)
        except NOT_TO_BE_HAD as refusal:
            ctx.log(f"Not kept: {refusal}")
            return _nothing(lost, f"Not kept: {_names(destroyed)} ({refusal.code}). {refusal}", destroyed)
        return _with_doubts(kept, lost, destroyed)

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done exactly if a place of this job is complete, and every file in it is as its manifest says."""
        found = found_backup(ctx, BackupScope.TABLES)
        return _with_doubts(found, lost_by_plan(ctx)) if found else None


def lost_by_plan(ctx: StepContext) -> Losses:
    """Return what the rollback scripts of the plan destroy, judged from their text."""
    entries = ctx.plan["migrations"]
    return losses((one["name"], Script.objects.get(pk=one["rollback"]).text()) for one in entries)


def _why_not(destroyed: Destroyed, *, limit: int) -> str:
    """Return why what is destroyed cannot be kept, "" if it can."""
    names = _names(destroyed)
    if not destroyed.tables:
        return f"Not kept: the rows of {_listed(destroyed.elsewhere)}, which are views or foreign tables."
    if destroyed.bytes is None:
        return f"Not kept: {names}. Another session has a lock there, and how big it is could not be found out."
    if destroyed.bytes > limit:
        return f"Not kept: {names}. That is {destroyed.bytes:,} bytes, and the limit KEEP_LIMIT is {limit:,}."
    return ""


def _names(destroyed: Destroyed) -> str:
    return _listed([f"{table.schema}.{table.name}" for table in destroyed.tables])


def _nothing(lost: Losses, why: str, destroyed: Destroyed | None = None) -> StepResult:
    evidence = {} if destroyed is None else {
        "not_kept": [f"{table.schema}.{table.name}" for table in destroyed.tables],
        "bytes": destroyed.bytes,
    }  # fmt: skip
    return _with_doubts(StepResult(is_skipped=True, summary=why, evidence=evidence), lost)


def _with_doubts(result: StepResult, lost: Losses, destroyed: Destroyed | None = None) -> StepResult:
    """Return a result that also says what could not be judged, and what could not be taken along."""
    told = [result.summary]
    if lost.unknown:
        told.append(f"What this destroys cannot be told from its text: {_listed(lost.unknown)}.")
    elsewhere = destroyed.elsewhere if destroyed else []
    if elsewhere and not result.is_skipped:
        told.append(f"Not kept: the rows of {_listed(elsewhere)}, which are views or foreign tables.")
    doubts = {"not_judged": list(lost.unknown), "elsewhere": elsewhere}
    return replace(result, summary=" ".join(told), evidence=result.evidence | {k: v for k, v in doubts.items() if v})


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
