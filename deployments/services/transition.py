"""The only writer of a state. Every move is a compare-and-set with its audit event in the same transaction.

Locks are taken in one order, so that no two transactions wait for each other: runs by id, databases by id, the jobs and
steps of those runs, what a trigger looks at (grants, people, the number of a new run), and the audit chain last. The
chain is held to the commit. So whoever touches two runs, or adds jobs, locks them all before the first move.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import Database, Job, MigrationRun, Step
from deployments.selectors.left import what_is_left
from deployments.services.announce import announce_job
from deployments.services.audit import record
from deployments.services.session_ends import leave_undone
from deployments.states import (
    JOB_FINAL,
    JOB_MOVES,
    OCCUPYING,
    RUN_MOVES,
    STEP_MOVES,
    JobState,
    Moves,
    Outcome,
    RunState,
    StepState,
    state_of_run,
)

CLAIM_WAIT = timedelta(milliseconds=500)
"""How long a claim waits for another one of the same database that is not committed yet. Usually that takes a few."""

LOCK_NOT_AVAILABLE = "55P03"


class IllegalTransition(DeploymentError):
    """The table of moves has no such move."""

    code = "illegal-transition"

    def __init__(self, *, subject: str, before: str, after: str) -> None:
        super().__init__(
            f"{subject} cannot go from {before} to {after}. Nothing was changed. Reload it to see what is possible now."
        )


class Stale(DeploymentError):
    """Someone else moved or took over the object after it was loaded."""

    code = "stale"

    def __init__(self, *, subject: str, expected: str) -> None:
        super().__init__(f"{subject} is no longer {expected}. Nothing was changed. Reload it, then decide again.")


class DatabaseBusy(DeploymentError):
    """Another run holds the slot of the database."""

    code = "database-busy"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"Another run is writing to {database}. Nothing was changed. "
            "This run stays queued and goes on when the other one is over; follow it to see which one it waits for."
        )


def locked_run(run_id: int) -> MigrationRun:
    """Return the run, locked until the end of the transaction. Every service that writes about a run begins here."""
    return locked_runs([run_id])[run_id]


def locked_runs(run_ids: Iterable[int]) -> dict[int, MigrationRun]:
    """Return runs by id, locked until the end of the transaction in the one order that cannot deadlock.

    Raises MigrationRun.DoesNotExist.
    """
    wanted = set(run_ids)
    # no_key: rows that only point at a run need not wait
    held = MigrationRun.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("pk")
    found = {run.pk: run for run in held}
    if missing := wanted - found.keys():
        raise MigrationRun.DoesNotExist(f"no run with id {min(missing)}")
    return found


def lock_databases(database_ids: Iterable[int]) -> None:
    """Lock databases until the end of the transaction, after the run and before its first move."""
    held = Database.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=set(database_ids))
    list(held.order_by("pk"))


def move_run(run: MigrationRun, to: RunState, *, actor: Actor, reason: str = "") -> None:
    """Move a run that awaits its decision and record who and why, or change nothing and raise.

    From queued on a run follows its jobs. Raises IllegalTransition if the table forbids the move or the run is past its
    decision, Stale if it moved since it was loaded.
    """
    if run.state != RunState.AWAITING:
        raise IllegalTransition(subject=str(run), before=run.state, after=to)
    _move_run(run, to, actor=actor, reason=reason)


def _move_run(run: MigrationRun, to: RunState, *, actor: Actor, reason: str = "") -> None:
    _require(RUN_MOVES, str(run), run.state, to)
    with transaction.atomic():
        held = MigrationRun.objects.filter(pk=run.pk, state=run.state)
        if held.update(state=to) != 1:
            raise Stale(subject=f"Run {run}", expected=RunState(run.state).label.lower())
        record(actor, "run.moved", run, before=run.state, after=to, reason=reason)
    run.refresh_from_db()


def claim_job(job_id: int, *, executor: str, lease: timedelta, actor: Actor) -> Job | None:
    """Take a queued job, or one whose executor fell silent, under a new fence; None if it is not to be had.

    A job is to be had when the jobs before it succeeded, and while nobody has asked for a pause: one that was asked to
    stop is to be had in any case, to end. One whose executor fell silent is taken over in a pause too, because it
    may have left something under way. After a restart of the
    control database nobody takes over for one lease, because the executors could not renew theirs meanwhile. Raises
    DatabaseBusy if another run writes there.
    """
    with transaction.atomic():
        job = Job.objects.select_related("run", "database").filter(pk=job_id).first()
        if job is None:
            return None
        locked_run(job.run_id)
        job.refresh_from_db(fields=["state", "fence"])
        try:
            with transaction.atomic():
                claimed = _take(job, executor=executor, lease=lease)
        except (IntegrityError, OperationalError) as refused:
            if not _says_busy(refused):
                raise
            raise DatabaseBusy(database=str(job.database)) from refused
        if not claimed:
            return None
        before = {"state": job.state, "fence": job.fence}
        job.refresh_from_db()
        record(
            actor,
            "job.claimed",
            job,
            before=before,
            after={"state": job.state, "fence": job.fence, "by": executor},
        )
        settle_run(job.run_id, actor=actor)
        job.run.refresh_from_db()
    return job


def _take(job: Job, *, executor: str, lease: timedelta) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (usual_wait,) = cursor.fetchone() or ("",)
        _set_lock_timeout(f"{CLAIM_WAIT.total_seconds() * 1000:.0f}ms")
        cursor.execute(
            """
            UPDATE deployments_job job
            SET state = 'running', fence = nextval('deployments_fence'), executor = %(executor)s,
                claims = claims + 1, heartbeat_at = clock_timestamp(), paused_at = NULL, holds_slot = false,
                lease_until = clock_timestamp() + %(lease)s::interval
            FROM deployments_migrationrun run
            WHERE job.id = %(job)s AND run.id = job.run_id
              AND (
                (job.state = 'queued' AND run.state IN ('queued', 'running')
                    AND (run.pause_requested_at IS NULL OR run.cancel_requested_at IS NOT NULL)
                    AND NOT EXISTS (SELECT FROM deployments_drain WHERE ended_at IS NULL))
                OR (job.state = 'running' AND job.lease_until < clock_timestamp()
                    AND pg_postmaster_start_time() < clock_timestamp() - %(lease)s::interval)
              )
              AND NOT EXISTS (SELECT FROM deployments_job earlier WHERE earlier.run_id = job.run_id
                              AND earlier.position < job.position AND earlier.state <> 'succeeded')
            """,
            {"executor": executor, "lease": str(lease.total_seconds()) + " seconds", "job": job.pk},
        )
        claimed = bool(cursor.rowcount == 1)
    _set_lock_timeout(usual_wait)  # a refusal undoes the shorter one with the savepoint
    return claimed


def _set_lock_timeout(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [value])


def _says_busy(error: IntegrityError | OperationalError) -> bool:
    """Whether another job holds the database, or is about to in a transaction that is not over."""
    driver = error.__cause__
    diagnostics = getattr(driver, "diag", None)
    constraint = None if diagnostics is None else diagnostics.constraint_name
    return constraint == "job_one_writer_per_database" or getattr(driver, "sqlstate", None) == LOCK_NOT_AVAILABLE


def move_job(job: Job, to: JobState, *, actor: Actor, reason: str = "", **facts: Any) -> None:
    """Move a job, with columns that tell how it ended, and let its run follow; or change nothing and raise.

    One that is put back into the queue keeps the slot of its database, unless `holds_slot` says otherwise. To running a
    job comes by `claim_job` alone. Raises IllegalTransition for that and for what the table forbids, Stale if the job
    moved or changed hands since it was loaded.
    """
    if to == JobState.RUNNING:
        raise IllegalTransition(subject=str(job), before=job.state, after=to)
    _require(JOB_MOVES, str(job), job.state, to)
    with transaction.atomic():
        run = locked_run(job.run_id)
        held = Job.objects.filter(pk=job.pk, state=job.state, fence=job.fence)
        keeps = {"holds_slot": to == JobState.QUEUED}  # nothing else may run where it was, unless its mover says so
        if held.update(state=to, **(keeps | facts)) != 1:
            raise Stale(subject=f"Job {job}", expected=f"{JobState(job.state).label.lower()} here")
        record(actor, "job.moved", job, before=job.state, after=to, reason=reason)
        leave_undone(job, actor=actor)
        if job.state == JobState.RUNNING and to in {JobState.QUEUED, JobState.SUCCEEDED}:
            # Asked while the job came to rest, or ended: no executor is there any more that would obey.
            cancel_what_waits(run, actor=actor)
        if to in JOB_FINAL and to != JobState.SUCCEEDED:
            _cancel_the_rest(job, actor=actor)
        settle_run(job.run_id, actor=actor)
        announce_job(job.pk)  # what waited for this job may be due now
    job.refresh_from_db()


def cancel_what_waits(run: MigrationRun, *, actor: Actor) -> None:
    """Cancel what is queued of a locked run that was asked to stop, unless something of it is under way."""
    jobs = list(Job.objects.filter(run=run.pk).order_by("position"))
    job = next((one for one in jobs if one.state == JobState.QUEUED), None)  # those after it follow as "not reached"
    if run.cancel_requested_at is None or job is None or any(one.state in OCCUPYING for one in jobs):
        return
    if not job.claims:
        move_job(job, JobState.CANCELLED, actor=actor, reason="cancelled before it began")
        return
    facts = {"cancel_outcome": what_is_left(job, planned=len(run.plan["migrations"])), "cancel_ended_at": Now()}
    began = "in its pause" if job.paused_at else "while it was queued again"
    move_job(job, JobState.CANCELLED, actor=actor, reason=f"cancelled {began}", **facts)


def _cancel_the_rest(job: Job, *, actor: Actor) -> None:
    """Cancel the jobs after one that did not succeed: they were not reached."""
    for later in Job.objects.filter(run=job.run_id, position__gt=job.position, state=JobState.QUEUED):
        Job.objects.filter(pk=later.pk).update(state=JobState.CANCELLED)
        record(actor, "job.moved", later, before=later.state, after=JobState.CANCELLED, reason="not reached")


def settle_run(run_id: int, *, actor: Actor) -> None:
    """Bring a started run to the state its jobs say. Called inside the transaction that moved one of them."""
    run = locked_run(run_id)
    jobs = list(Job.objects.filter(run=run))
    state = state_of_run(Outcome(job.state, job.applied, job.plan_moved) for job in jobs)
    if state != run.state:
        _move_run(run, state, actor=actor)
    else:
        MigrationRun.objects.filter(pk=run.pk).update(revision=F("revision") + 1)


def move_step(step: Step, to: StepState, *, fence: int, actor: Actor, **facts: Any) -> None:
    """Move a step, for the executor that holds the fence of its job; or change nothing and raise.

    Raises IllegalTransition if the table forbids the move, Stale if the step moved or the job changed hands.
    """
    _require(STEP_MOVES, str(step), step.state, to)
    with transaction.atomic():
        locked_run(step.job.run_id)  # a takeover waits for this write, or this write sees the takeover
        if not Job.objects.filter(pk=step.job_id, state=JobState.RUNNING, fence=fence).exists():
            raise Stale(subject=f"Job {step.job}", expected="held by this executor")
        held = Step.objects.filter(pk=step.pk, state=step.state)
        if held.update(state=to, fence=fence, **facts) != 1:
            raise Stale(subject=f"Step {step}", expected=StepState(step.state).label.lower())
        record(actor, "step.moved", step, before=step.state, after=to)
        MigrationRun.objects.filter(pk=step.job.run_id).update(revision=F("revision") + 1)
    step.refresh_from_db()


def begin_step(job: Job, *, name: str, position: int, attempt: int, fence: int, actor: Actor) -> None:
    """Make an attempt at a step and start it, both or neither: who is killed or too late leaves none that never began.

    Raises Stale if it has begun already, or the job changed hands.
    """
    with transaction.atomic():
        locked_run(job.run_id)
        step, _ = Step.objects.get_or_create(job=job, position=position, attempt=attempt, defaults={"name": name})
        if step.state != StepState.PENDING:
            raise Stale(subject=f"Step {step}", expected=StepState.PENDING.label.lower())
        move_step(step, StepState.RUNNING, fence=fence, actor=actor)


def _require(moves: Moves, subject: str, before: str, after: str) -> None:
    if after not in moves.get(before, frozenset()):
        raise IllegalTransition(subject=subject, before=before, after=after)
