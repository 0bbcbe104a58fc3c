"""Noting the schema around a run, and saying after a way back whether it is again what it was before."""

from collections.abc import Mapping
from typing import Any

from checks.integrity.restored import Restored, Schema, changed, judge_restored, not_measured
from checks.integrity.verdicts import Verdict
from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import MigrationRun, Observation, Step
from deployments.pipelines.asking import patiently
from deployments.pipelines.contract import StepContext
from deployments.pipelines.observing import keep_observed
from deployments.pipelines.record import persist
from deployments.postgres.catalog import Observed, observe
from deployments.postgres.connect import session
from deployments.postgres.errors import TargetUnreachable
from deployments.states import StepState

MOST_PIECES = 5000  # of the objects that a plan touches; more are not kept, and an object is then named as a whole


def note_schema(ctx: StepContext) -> dict[str, Any]:
    """Read the schema, keep it as an observation, and return the evidence that leads to it.

    Where it cannot be read, that is the evidence: nothing else waits for it. Raises what waiting for a target raises,
    also what the control does.
    """
    try:
        seen = patiently(
            ctx,
            lambda opened: observe(opened, ctx.target, ctx.history, into=ctx.plan["touches"]),
            opening=lambda: session(ctx.target, name=ctx.holder.session_name),
        )
        return _kept(ctx, seen)
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
    result = judge_restored(
        str(run), _schema(ctx, was), _schema(ctx, now), by_others=_by_others(ctx, run, before, after)
    )
    if result.verdict is not Verdict.PASSED:
        ctx.log(result.sentence)
    return result


def _kept(ctx: StepContext, seen: Observed) -> dict[str, Any]:
    kept: list[Observation] = []
    persist(lambda: kept.append(keep_observed(ctx.job.database, seen, actor=EXECUTOR)), is_written=lambda: bool(kept))
    few = sum(len(one) for one in seen.pieces.values()) <= MOST_PIECES
    return {
        "observation": kept[-1].pk,
        "fingerprint": kept[-1].fingerprint,
        "pieces": seen.pieces if few else {},
    }


def _by_others(ctx: StepContext, run: MigrationRun, before: str, after: str) -> set[str]:
    """Return the objects that were changed after the run was looked at and before its way back began."""
    left, found = _noted(ctx, run, after), _noted(ctx, ctx.job.run, before)
    return changed(_schema(ctx, left).objects, _schema(ctx, found).objects) if left and found else set()


def _noted(ctx: StepContext, run: MigrationRun, step: str) -> Mapping[str, Any] | None:
    """Return what a step of the other run noted of the schema of this database, None if it did not."""
    ended = Step.objects.filter(
        job__run=run, job__database=ctx.job.database_id, name=step, evidence__schema__has_key="observation"
    )
    last = ended.exclude(state=StepState.RUNNING).order_by("-attempt").first()
    return last.evidence["schema"] if last else None


def _schema(ctx: StepContext, noted: Mapping[str, Any]) -> Schema:
    """Return what was noted without the table of the layout's tool: a first deploy makes it, no way back drops it."""
    objects = Observation.objects.get(pk=noted["observation"]).schema
    table = ctx.history.table
    return Schema(
        {name: one for name, one in objects.items() if not (table and name.endswith(f".{table}"))}, noted["pieces"]
    )
