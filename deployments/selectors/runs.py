"""What screens and commands read about runs."""

from checks.policy import Given, Requirements, Unmet, unmet
from deployments.models import Job, MigrationRun
from deployments.models.approval import Verdict
from deployments.selectors.history import missing_before
from deployments.states import OCCUPYING

AFTERWARDS = {"unhealthy": ", unhealthy", "integrity-failed": ", checks failed", "smoke-failed": ", smoke failed"}
"""What a job says of its effect when everything was committed and a later step failed, by the error's code."""


def unmet_of(run: MigrationRun) -> tuple[Unmet, ...]:
    """Return what an awaiting run still needs; empty when it may start."""
    plan = run.plan
    approvals = run.approvals.filter(verdict=Verdict.APPROVED).select_related("approver")
    needs = Requirements.of_plan(plan["requirements"])
    names = {entry["name"] for entry in plan["migrations"]}
    # The way back is never held up by an environment that comes before.
    missing = missing_before(run.environment, names) if run.kind == "deploy" else set()
    return unmet(
        needs,
        given=[Given(person=one.approver.username, role=one.role) for one in approvals],
        missing_in_staging=missing,
    )


def blocking_job(job: Job) -> Job | None:
    """Return the job that holds the slot of this one's database, if another does."""
    return (
        Job.objects.filter(database=job.database_id, writes=True, state__in=sorted(OCCUPYING))
        .exclude(pk=job.pk)
        .select_related("run")
        .first()
    )


def effect_of(job: Job) -> str:
    """Return what a job has done to its database, in words: the first thing to know about a run that is over."""
    planned = len(job.run.plan["migrations"])
    verb = "rolled back" if job.run.kind == "rollback" else "applied"
    if job.applied == 0:
        return f"nothing {verb}"
    if job.applied < planned:
        return f"{job.applied} of {planned} {verb}"
    return f"all {planned} {verb}{AFTERWARDS.get(job.error_code, '')}"
