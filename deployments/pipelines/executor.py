"""Walking one job through its pipeline: claim, take over, step by step, and say how it ended."""

import os
import socket
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from checks.health import Expectation
from deployments.actors import EXECUTOR
from deployments.artifacts import Artifacts
from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.models import ControlPlane, Job, MigrationRun, Step
from deployments.pipelines.automatic import roll_back_if_wanted
from deployments.pipelines.cancelling import note_end
from deployments.pipelines.contract import Pipeline, PlanMoved, StepContext, StepResult
from deployments.pipelines.contract import Step as Stage
from deployments.pipelines.control import Control, LeaseLost
from deployments.pipelines.definitions import PIPELINES
from deployments.pipelines.ending import (
    UNEXPECTED,
    count_applied,
    end,
    interrupt_running,
    look_once_more,
    require_held,
    told,
)
from deployments.pipelines.freshness import outdated
from deployments.pipelines.latency import LatencyReadings
from deployments.pipelines.observing import target_of
from deployments.pipelines.record import persist, record_job, record_start, record_step, tell
from deployments.pipelines.resting import let_go, require_unmoved
from deployments.pipelines.steps.migrate import MIGRATE
from deployments.pipelines.takeover import take_over
from deployments.postgres.backup.sealing import Keys
from deployments.postgres.clients import Clients
from deployments.postgres.connect import ANSWERED, LINK_ERRORS, Holder
from deployments.postgres.errors import FenceLost, TargetLocked, TargetUnreachable
from deployments.postgres.history import HISTORIES
from deployments.postgres.script import Limits
from deployments.postgres.stopped import CancelledOnRequest, InDoubt, PausedOnRequest
from deployments.probe import Prober
from deployments.services.progress import write_applied, write_line, write_progress
from deployments.services.transition import DatabaseBusy, Stale, claim_job
from deployments.states import JobState, StepState

log = structlog.get_logger()

HANDED_ON = (LeaseLost, FenceLost, Stale, OperationalError, InterfaceError)
"""Another executor has the job, or will have it: this one writes nothing more about it.

Django's errors are those of the control database; the target's driver raises its own.
"""

MOST_CLAIMS = 20  # a job that kills every executor is looked at by a person, not tried for ever


def execute(job_id: int) -> bool:
    """Claim a job and walk it to its end; False if it was not to be had. Safe to call any number of times."""
    timings = settings.CONFIGURATION
    name = f"{socket.gethostname()}/{os.getpid()}"
    try:
        job = claim_job(job_id, executor=name, lease=timings.lease, actor=EXECUTOR)
    except DatabaseBusy as busy:
        log.info("job waits", job=job_id, reason=str(busy))
        return False
    if job is None:
        return False
    crash_point("claimed")
    with Control(job, lease=timings.lease, heartbeat=timings.heartbeat, silence=timings.silence) as control:
        try:
            walk(job, control)
        except HANDED_ON as lost:
            log.warning("job handed on", job=job_id, fence=job.fence, reason=str(lost))
    return True


def walk(job: Job, control: Control) -> None:
    """Walk a claimed job and record how it ended. Raises one of HANDED_ON if it is no longer ours to record."""
    ctx = context(job, control)
    pace = settings.CONFIGURATION.latency_interval
    try:
        with LatencyReadings(job, health=ctx.health, prober=ctx.prober, interval=pace):
            walk_steps(ctx)
    except HANDED_ON:
        raise
    except PlanMoved as moved:
        end(ctx, JobState.CANCELLED, moved, plan_moved=True)
        _succeed_with_new_plan(job)
    except PausedOnRequest as paused:
        interrupt_running(ctx)
        look_once_more(job)
        let_go(ctx, paused)
    except CancelledOnRequest as cancelled:
        note_end(ctx, cancelled, applied=count_applied(ctx))
        end(ctx, JobState.CANCELLED, cancelled)
    except InDoubt as doubt:
        end(ctx, JobState.NEEDS_ATTENTION, doubt)
    except DeploymentError as refusal:
        end(ctx, JobState.FAILED, refusal)
        roll_back_if_wanted(job, refusal.code)
    except Exception as unexpected:
        # Nobody foresaw it, so nobody can say what the database did: a person looks. Its text may hold a secret.
        log.exception("unexpected error", job=job.pk)
        end(ctx, JobState.NEEDS_ATTENTION, unexpected)
    else:
        require_held(job)
        look_once_more(job)
        record_job(job, JobState.SUCCEEDED)


def walk_steps(ctx: StepContext) -> None:
    """Make this executor the only one that can write to the target, if it is to write, then take the steps in order."""
    lost = ctx.job.claims - ctx.job.pauses - 1
    if lost >= MOST_CLAIMS:
        raise InDoubt(what=f"what {ctx.job} should do", why=f"{lost} executors were lost on the way")
    pipeline = PIPELINES[ctx.job.run.kind]
    if pipeline.begin is not None:
        pipeline.begin(ctx)
    try:
        _walk_each(ctx, pipeline)
    except HANDED_ON:
        raise
    except BaseException as stopped:
        if pipeline.leave is not None:
            pipeline.leave(ctx, stopped)
        raise


def _walk_each(ctx: StepContext, pipeline: Pipeline) -> None:
    stages = pipeline.steps
    # What does not write to the target neither holds its slot nor raises its fence.
    takes_over = ctx.job.writes and pipeline.begin is None
    anew = _begun_anew(ctx, [stage.name for stage in stages]) if takes_over else set()
    if anew:
        log.info("taken anew, because it is too old", job=ctx.job.pk, steps=sorted(anew))
        interrupt_running(ctx)
    for position, stage in enumerate(stages, start=1):
        walk_step(ctx, stage, position, anew=stage.name in anew)
    crash_point("all-steps-done")


def _begun_anew(ctx: StepContext, names: list[str]) -> set[str]:
    """Take the target over, and return the steps before the migration that are to be taken anew."""
    if ended := take_over(ctx):
        log.info("earlier sessions ended", job=ctx.job.pk, count=ended)
    try:
        require_unmoved(ctx)
        return outdated(ctx, names[: names.index(MIGRATE)])
    except LINK_ERRORS as cut:
        raise _refusal(ctx, cut) from cut


def context(job: Job, control: Control) -> StepContext:
    """Return what the steps of this job may use."""
    timings = settings.CONFIGURATION
    fence = job.fence or 0
    plan = job.run.plan

    def applied(count: int) -> None:
        persist(lambda: write_applied(job, count, fence=fence), is_written=lambda: True)
        job.applied = count

    return StepContext(
        job=job,
        plan=plan,
        target=target_of(job.database),
        holder=Holder(run=job.run.number, job=job.pk, fence=fence),
        control=control,
        control_plane_id=ControlPlane.objects.get().pk,
        history=HISTORIES[job.run.environment.application.layout],
        limits=Limits(lock_timeout=timings.lock_timeout, lock_retry_limit=timings.lock_retry_limit),
        guard_interval=timings.guard_interval,
        clients=Clients(timings.pg_client_folder),
        artifacts=Artifacts(timings.artifacts),
        keys=Keys(timings.backup_keys),
        dump_jobs=timings.dump_jobs,
        keep_limit=timings.keep_limit,
        health=Expectation(**plan["health"]) if plan["health"] else None,
        prober=Prober(timings.health_networks, timings.health_interval),
        evidence_of=partial(_evidence, job),
        log=lambda line: log.info(line, job=job.pk),
        progress=lambda _: None,
        applied=applied,
    )


def walk_step(ctx: StepContext, stage: Stage, position: int, *, anew: bool = False) -> None:
    """Bring one step to its end: skip it if it is done, settle it if a crash left it, else run it.

    `anew` takes it once more although it is done.
    """
    latest = Step.objects.filter(job=ctx.job, position=position).order_by("-attempt").first()
    if latest is not None and latest.state in {StepState.SUCCEEDED, StepState.SKIPPED} and not anew:
        return
    ctx.control.limit(stage.timeout)
    ctx.control.require_may_go_on(f"before {stage.name}")
    if latest is not None and latest.state == StepState.RUNNING:
        record_step(latest, StepState.INTERRUPTED, fence=ctx.holder.fence, summary="Its executor was lost.")
    step = record_start(
        ctx.job, name=stage.name, position=position, attempt=_next_attempt(latest), fence=ctx.holder.fence
    )
    ctx.log = lambda line: persist(lambda: write_line(step, line, fence=ctx.holder.fence), is_written=lambda: True)
    ctx.progress = lambda facts: tell(lambda: write_progress(step, facts, fence=ctx.holder.fence))
    crash_point("step-started")
    result = _result(ctx, stage, step, resumed=step.attempt > 1)
    crash_point("step-done-unrecorded")
    ended = StepState.SKIPPED if result.is_skipped else StepState.SUCCEEDED
    record_step(step, ended, fence=ctx.holder.fence, summary=result.summary, evidence=result.evidence)


def _evidence(job: Job, name: str) -> dict[str, Any]:
    """Return what an earlier step of the job proved, {} if there is none of that name that ended well."""
    step = Step.objects.filter(job=job, name=name, state=StepState.SUCCEEDED).order_by("-attempt").first()
    return step.evidence if step else {}


def _next_attempt(latest: Step | None) -> int:
    if latest is None:
        return 1
    return latest.attempt if latest.state == StepState.PENDING else latest.attempt + 1


def _result(ctx: StepContext, stage: Stage, step: Step, *, resumed: bool) -> StepResult:
    """Run or settle a step. A refusal is recorded on the step before it goes on to the job."""
    try:
        if resumed and (settled := stage.settled(ctx)) is not None:
            return settled
        return stage.run(ctx)
    except HANDED_ON:
        raise
    except (CancelledOnRequest, PausedOnRequest, InDoubt) as stopped:
        record_step(
            step,
            StepState.INTERRUPTED,
            fence=ctx.holder.fence,
            summary=str(stopped),
            error_code=stopped.code,
            evidence=dict(stopped.evidence),
        )
        raise
    except (DeploymentError, *LINK_ERRORS) as error:
        refusal = _refusal(ctx, error)
        record_step(
            step,
            StepState.FAILED,
            fence=ctx.holder.fence,
            summary=str(refusal),
            error_code=refusal.code,
            evidence=dict(refusal.evidence),
        )
        raise refusal from error
    except Exception as unexpected:
        summary = told(unexpected)
        record_step(step, StepState.INTERRUPTED, fence=ctx.holder.fence, summary=summary, error_code=UNEXPECTED)
        raise


def _refusal(ctx: StepContext, error: Exception) -> DeploymentError:
    if isinstance(error, DeploymentError):
        return error
    if isinstance(error, ANSWERED):
        return TargetLocked(target=ctx.target.name)
    return TargetUnreachable.by(error, target=ctx.target.name)


def _succeed_with_new_plan(job: Job) -> None:
    """Ask for a successor of a run whose world has moved: with the same person and reason, and a plan of its own."""
    # Planning judges, and all that judges is a sixth of what an executor would read at its start; few ever need it.
    from deployments.services.plan import request_successor  # noqa: PLC0415

    run = MigrationRun.objects.get(pk=job.run_id)
    try:
        request_successor(run, actor=EXECUTOR)
    except DeploymentError as refusal:
        log.info("no successor", run=run.number, reason=str(refusal))
