"""What screens and commands read about runs."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from checks.policy import Given, Requirements, Unmet, closed_window, unmet
from deployments.models import Approval, Job, KeptDatabase, MigrationRun
from deployments.models.approval import Verdict
from deployments.models.run import OCCUPIES, RunKind
from deployments.selectors.clock import database_now
from deployments.selectors.history import applied_before
from deployments.selectors.lane import lapsed
from deployments.selectors.rehearsals import unproven
from deployments.states import RUN_FINAL, RunState

AFTERWARDS = {
    "unhealthy": ("unhealthy", "the application is unhealthy"),
    "integrity-failed": ("a check failed", "a check failed"),
    "smoke-failed": ("a smoke check failed", "a smoke check failed"),
}
"""Why a job did not succeed although everything was committed, by the error's code: in its effect, and as a reason."""
NOT_TO_THE_END = ("not checked to the end", "it was not checked to the end")


def unmet_of(run: MigrationRun) -> tuple[Unmet, ...]:
    """Return what an awaiting run still needs; empty when it may start."""
    approvals = run.approvals.filter(verdict=Verdict.APPROVED).select_related("approver")
    # The way back is never held up by an environment that comes before.
    before = applied_before(run.environment) if run.kind == RunKind.DEPLOY else []
    return _unmet(run, approvals, before, database_now())


def unmet_of_each(runs: Collection[MigrationRun]) -> dict[int, tuple[Unmet, ...]]:
    """Return the same of many runs, by id. `approvals__approver` of each is prefetched."""
    deploys = {run.environment_id: run.environment for run in runs if run.kind == RunKind.DEPLOY}
    before = {key: applied_before(environment) for key, environment in deploys.items()}
    now = database_now()
    return {
        run.pk: _unmet(
            run,
            [one for one in run.approvals.all() if one.verdict == Verdict.APPROVED],
            before[run.environment_id] if run.kind == RunKind.DEPLOY else [],
            now,
        )
        for run in runs
    }


def _unmet(
    run: MigrationRun, approvals: Iterable[Approval], before: Iterable[set[str]], now: datetime
) -> tuple[Unmet, ...]:
    plan = run.plan
    names = {entry["name"] for entry in plan["migrations"]}
    needs = Requirements.of_plan(plan["requirements"])
    hours = needs.rehearsal_hours
    if why := lapsed(run):
        return (Unmet("lane", why),)
    return unmet(
        needs,
        given=[Given(person=one.approver.username, role=one.role) for one in approvals],
        missing_in_staging=set().union(*(names - applied for applied in before)),
        now=now,
        unproven="" if hours is None else unproven(run, since=now - timedelta(hours=hours)),
    )


def waits_for_window(run: MigrationRun) -> str:
    """Return when the window of a run opens, as a sentence; "" if it is open, or the run needs none."""
    return closed_window(Requirements.of_plan(run.plan["requirements"]), database_now())


def blocking_job(job: Job) -> Job | None:
    """Return the job that holds the slot of this one's database, if another does."""
    return (
        Job.objects.filter(OCCUPIES, database=job.database_id, writes=True)
        .exclude(pk=job.pk)
        .select_related("run")
        .first()
    )


def blocking_jobs(databases: Collection[int]) -> dict[int, Job]:
    """Return the job that holds the slot of each of these databases, by the database's id."""
    found = Job.objects.filter(OCCUPIES, database__in=databases, writes=True).select_related("run")
    return {job.database_id: job for job in found}


def effect_of(job: Job) -> str:
    """Return what a job has done to its database, in words: the first thing to know about a run that is over."""
    if job.run.kind == RunKind.RESTORE:
        return "databases exchanged" if KeptDatabase.objects.filter(job=job).exists() else "nothing exchanged"
    if job.run.kind == RunKind.REHEARSAL:
        return "nothing changed"
    planned = len(job.run.plan["migrations"])
    verb = "rolled back" if job.run.kind == "rollback" else "applied"
    if job.applied == 0:
        return f"nothing {verb}"
    if job.applied < planned:
        return f"{job.applied} of {planned} {verb}"
    return f"all {verb}, {_afterwards(job)[0]}" if job.error_code else f"all {verb}"


def reverting(backs: Iterable[MigrationRun]) -> MigrationRun | None:
    """Return the one of these ways back that has undone all it was planned for, whatever was found afterwards.

    A check that fails takes nothing of it back: such a run has failed, and its work is done.
    """
    return next((one for one in backs if _has_undone(one) and not _is_undone(one)), None)


def _has_undone(back: MigrationRun) -> bool:
    if back.kind == RunKind.RESTORE:
        return back.jobs.filter(kept__isnull=False).exists()
    return back.state == RunState.SUCCEEDED or _is_done(back)


def _is_undone(back: MigrationRun) -> bool:
    """Whether the database that a restore replaced was taken back since."""
    return back.kind == RunKind.RESTORE and back.reverted_by.filter(jobs__kept__isnull=False).exists()


def failed_afterwards(back: MigrationRun) -> str:
    """Return why a way back that has undone everything did not succeed, to follow its number; "" if it did."""
    if back.state == RunState.SUCCEEDED:
        return ""
    if back.state == RunState.CANCELLED:
        return ", which was cancelled afterwards"
    why = next((_afterwards(job)[1] for job in back.jobs.all() if job.error_code), NOT_TO_THE_END[1])
    return f", which failed afterwards because {why}"


def _afterwards(job: Job) -> tuple[str, str]:
    return AFTERWARDS.get(job.error_code, NOT_TO_THE_END)


def _is_done(back: MigrationRun) -> bool:
    if back.state not in RUN_FINAL:
        return False
    planned, jobs = len(back.plan["migrations"]), list(back.jobs.all())
    return bool(jobs) and all(job.applied == planned for job in jobs)
