"""Noting the schema around a run, and saying after a way back whether it is again what it was before."""

from collections.abc import Mapping
from typing import Any

from checks.integrity.restored import Restored, judge_restored, not_measured
from checks.integrity.verdicts import Verdict
from checks.schema import Difference
from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun, Observation, SchemaExpectation, SchemaSnapshot, Step
from deployments.pipelines.asking import patiently
from deployments.pipelines.contract import StepContext
from deployments.pipelines.observing import keep_observed
from deployments.pipelines.record import persist
from deployments.postgres.catalog import Observed, observe
from deployments.postgres.connect import session
from deployments.postgres.errors import TargetUnreachable
from deployments.selectors.snapshots import difference_of
from deployments.services.drift import expect_left
from deployments.states import StepState


def note_schema(ctx: StepContext, *, is_left: bool = False) -> dict[str, Any]:
    """Read the schema, keep it as an observation, and return the evidence that leads to it.

    Where the job has left it so (`is_left`), that is what the database is expected to have from now on.

    Where it cannot be read, that is the evidence: nothing else waits for it. Raises what waiting for a target raises,
    also what the control does.
    """
    try:
        seen = patiently(
            ctx,
            lambda opened: observe(opened, ctx.target, ctx.history),
            opening=lambda: session(ctx.target, name=ctx.holder.session_name),
        )
        return _kept(ctx, seen, is_left=is_left)
    except TargetUnreachable:
        raise
    except DeploymentError as refused:
        ctx.control.require_may_start()
        ctx.log(f"The schema was not read ({refused.code}): {refused}")
        return {"reason": f"It could not be read ({refused.code})."}


def compare_with_before(ctx: StepContext, now: Mapping[str, Any], *, before: str, after: str) -> Restored | None:
    """Return whether the schema is what it was before the run that is rolled back; None where none is.

    `now` is what `note_schema` returned after the scripts, `before` and `after` the names of the steps that note.
    """
    run = ctx.job.run.reverts
    if run is None:
        return None
    if "observation" not in now:
        return not_measured(str(run), now["reason"])
    was = _noted(ctx, run, before)
    if was is None:
        return not_measured(str(run), "It was not noted before that run.")
    found = _difference(ctx, was, now)
    if found is None:
        return not_measured(str(run), "It was noted by an earlier version, which kept less.")
    result = judge_restored(str(run), found, by_others=_by_others(ctx, run, before, after))
    if result.verdict is not Verdict.PASSED:
        ctx.log(result.sentence)
    return result


def _kept(ctx: StepContext, seen: Observed, *, is_left: bool) -> dict[str, Any]:
    kept: list[Observation] = []
    persist(lambda: kept.append(keep_observed(ctx.job.database, seen, actor=EXECUTOR)), is_written=lambda: bool(kept))
    if is_left:
        persist(lambda: expect_left(kept[-1], ctx.job), is_written=lambda: _is_expected(kept[-1], ctx.job))
    return {"observation": kept[-1].pk, "fingerprint": kept[-1].fingerprint}


def _is_expected(left: Observation, job: Job) -> bool:
    return SchemaExpectation.objects.filter(job=job, snapshot=left.snapshot).exists()


def _by_others(ctx: StepContext, run: MigrationRun, before: str, after: str) -> set[str]:
    """Return the objects that were changed after the run was looked at and before its way back began."""
    left, found = _noted(ctx, run, after), _noted(ctx, ctx.job.run, before)
    between = _difference(ctx, left, found) if left and found else None
    return between.objects if between else set()


def _noted(ctx: StepContext, run: MigrationRun, step: str) -> Mapping[str, Any] | None:
    """Return what a step of the other run noted of the schema of this database, None if it did not."""
    ended = Step.objects.filter(
        job__run=run, job__database=ctx.job.database_id, name=step, evidence__schema__has_key="observation"
    )
    last = ended.exclude(state=StepState.RUNNING).order_by("-attempt").first()
    return last.evidence["schema"] if last else None


def _difference(ctx: StepContext, before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """Return what differs between two noted schemas, None where one of them was not kept.

    The table of the layout's tool is no part of it: a first deploy makes it, no way back drops it.
    """
    was, now = _kept_schema(before), _kept_schema(after)
    if was is None or now is None:
        return None
    table = ctx.history.table
    return difference_of(was, now, without=f".{table}" if table else "")


def _kept_schema(noted: Mapping[str, Any]) -> SchemaSnapshot | None:
    return Observation.objects.select_related("snapshot").get(pk=noted["observation"]).snapshot
