"""How a job that did not succeed ends: what is recorded of it, and what is looked at for the people who go on."""

import structlog
from django.db import InterfaceError, OperationalError

from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import Job, Step
from deployments.pipelines.answering import answer_request
from deployments.pipelines.contract import StepContext
from deployments.pipelines.observing import observe_database
from deployments.pipelines.record import persist, record_job, record_step
from deployments.postgres.connect import DRIVER_ERROR, session
from deployments.postgres.ledger import entries_of_job
from deployments.services.looks import request_look
from deployments.services.transition import Stale
from deployments.states import JobState, StepState

log = structlog.get_logger()

UNEXPECTED = "unexpected-error"


def told(error: Exception) -> str:
    """Return what may be shown of an error: our own texts whole, of others the kind alone."""
    if isinstance(error, DeploymentError):
        return str(error)
    return (
        f"An error that is not foreseen stopped the executor: {type(error).__name__}. What the database did is shown "
        "by its history. Look at the executor's log, then decide."
    )


def require_held(job: Job) -> None:
    """Raise Stale if another executor has the job: whoever halted for long must not tell of it what was once true."""
    held = Job.objects.filter(pk=job.pk, fence=job.fence, state=JobState.RUNNING)
    seen: list[bool] = []
    persist(lambda: seen.append(held.exists()), is_written=lambda: bool(seen))
    if not seen[-1]:
        raise Stale(subject=f"Job {job}", expected="held by this executor")


def look_once_more(job: Job) -> None:
    """Keep what the target is now, so that the next plan starts from it. Done as well as can be: the job has ended."""
    try:
        observe_database(job.database, actor=EXECUTOR)
    except (DeploymentError, DRIVER_ERROR) as refusal:
        log.warning("not observed after the job", job=job.pk, reason=type(refusal).__name__)


def end(ctx: StepContext, state: JobState, error: Exception, *, plan_moved: bool = False) -> None:
    """Record that a job ended badly, or needs a person: what stopped it, and how much of it is in force."""
    job = ctx.job
    require_held(job)
    interrupt_running(ctx)
    look_once_more(job)
    record_job(
        job,
        state,
        reason=told(error),
        plan_moved=plan_moved,
        error=told(error),
        error_code=error.code if isinstance(error, DeploymentError) else UNEXPECTED,
        applied=count_applied(ctx),
    )
    if state == JobState.NEEDS_ATTENTION:
        _look_for_a_person(job)


def _look_for_a_person(job: Job) -> None:
    """Show what the target says now beside the doubt. Where that fails a dispatcher has it done, or a person asks."""
    try:
        answer_request(request_look(job.run, actor=EXECUTOR).pk)
    except (DeploymentError, OperationalError, InterfaceError) as refusal:
        log.warning("not looked at for a person", job=job.pk, reason=type(refusal).__name__)


def interrupt_running(ctx: StepContext) -> None:
    """Record of a step that an earlier executor left running that it goes on no more."""
    for step in Step.objects.filter(job=ctx.job, state=StepState.RUNNING):
        record_step(step, StepState.INTERRUPTED, fence=ctx.holder.fence, summary="Its executor was lost.")


def count_applied(ctx: StepContext) -> int:
    """Return how many migrations this job committed, from the target itself if it can be asked."""
    try:
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            return len(entries_of_job(opened, ctx.job.pk))
    except (DeploymentError, DRIVER_ERROR):
        return ctx.job.applied
