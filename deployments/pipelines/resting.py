"""Letting go of a job that is to rest, and looking whether the world stayed as it was meanwhile."""

from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from checks.schema import fingerprint, touched
from deployments.errors import DeploymentError
from deployments.models import Job, Step
from deployments.pipelines.asking import patiently
from deployments.pipelines.contract import StepContext
from deployments.pipelines.record import persist, record_job
from deployments.pipelines.steps.migrate import MIGRATE
from deployments.pipelines.world import history_of
from deployments.postgres.catalog import Observed, observe
from deployments.postgres.connect import DRIVER_ERROR, Session, session
from deployments.postgres.ledger import entries_of_job, has_begun, require_ours
from deployments.postgres.stopped import InDoubt, PausedOnRequest
from deployments.services.observe import history_hash
from deployments.services.pause import NOT_SEEN
from deployments.states import JobState

World = dict[str, Any]


class MovedWhilePaused(DeploymentError):
    """Somebody else changed what the rest of the plan is for, while the job rested in its middle."""

    code = "moved-while-paused"

    def __init__(self, *, target: str, what: str) -> None:
        super().__init__(
            f"{target} is not as it was when the run was paused: {what}. Nothing more of the plan was run; what was "
            "committed before the pause stays and is counted. Look at what changed, then ask for a new run with what "
            "is left, or roll this one back."
        )


def let_go(ctx: StepContext, paused: PausedOnRequest) -> None:
    """Queue the job again, for nobody to take up until it is resumed, with how the target is now.

    Once it has changed something it keeps the slot of its database: nothing else may run on a plan that is half done.
    """
    has_changed, applied, world = whereabouts(ctx)
    if has_changed and world is None:
        world = NOT_SEEN
    record_job(
        ctx.job,
        JobState.QUEUED,
        reason=str(paused),
        paused_at=Now(),
        pauses=F("pauses") + 1,
        holds_slot=has_changed,
        paused_world=world,
        applied=applied,
    )


def require_unmoved(ctx: StepContext) -> None:
    """After a rest in the middle of the plan, before anything more is run: raise MovedWhilePaused if it is no basis.

    A job that has changed nothing yet is compared with its plan instead, as every one is. Where the target could not be
    asked when the job came to rest there is nothing to compare with: InDoubt, so that a person looks. Raises what
    waiting for a target raises.
    """
    noted = ctx.job.paused_world
    if noted is None:
        return

    def look(opened: Session) -> World | None:
        require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)
        if not has_begun(opened, ctx.job.pk):
            return None
        return _world_of(observe(opened, ctx.target, ctx.history), ctx)

    found = patiently(ctx, look, opening=lambda: session(ctx.target, name=ctx.holder.session_name))
    if found is not None and noted != NOT_SEEN:
        if found["history"] != noted["history"]:
            raise MovedWhilePaused(target=ctx.target.name, what="other migrations are applied now")
        if found["touched"] != noted["touched"]:
            raise MovedWhilePaused(target=ctx.target.name, what="the objects that the plan touches have changed")
    elif found is not None:
        # Not forgotten here: the person who decides that it goes on takes this back.
        raise InDoubt(
            what=f"a change by somebody else to {ctx.target.name}",
            why="the server could not be asked when the run came to rest, so nothing shows whether it stayed as it was",
        )
    own = Job.objects.filter(pk=ctx.job.pk, fence=ctx.holder.fence, state=JobState.RUNNING)
    persist(lambda: _forget(own), is_written=lambda: True)  # from here on the world is what this job makes of it
    ctx.job.paused_world = None


def _forget(own: Any) -> None:
    own.update(paused_world=None)


def whereabouts(ctx: StepContext) -> tuple[bool, int, World | None]:
    """Return whether the job has changed something, how many migrations it committed, and how the target is if so.

    From the target itself; where that cannot be asked now, from what was begun. Then nothing can be compared later.
    """
    try:
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            applied = len(entries_of_job(opened, ctx.job.pk))
            if not has_begun(opened, ctx.job.pk):
                return False, applied, None
            return True, applied, _world_of(observe(opened, ctx.target, ctx.history), ctx)
    except (DeploymentError, DRIVER_ERROR):
        return Step.objects.filter(job=ctx.job, name=MIGRATE).exists(), ctx.job.applied, None


def _world_of(seen: Observed, ctx: StepContext) -> World:
    return {
        "history": history_hash(history_of(seen)),
        "touched": fingerprint(touched(seen.schema, ctx.plan["touches"])),
    }
