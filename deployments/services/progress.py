"""What a step tells while it runs: lines of its log, how far it is, how much of the plan is in force."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce, Now

from deployments.models import Job, MigrationRun, Step, StepLog
from deployments.services.transition import locked_run
from deployments.states import JobState, StepState


def write_line(step: Step, line: str, *, fence: int) -> None:
    """Append one line to the log of a step, if this fence still holds its job; otherwise write nothing.

    NUL bytes, which PostgreSQL's text cannot hold, are shown as such.
    """
    with transaction.atomic():
        locked_run(step.job.run_id)  # a takeover waits for this write, or this write sees the takeover
        if not Job.objects.filter(pk=step.job_id, fence=fence, state=JobState.RUNNING).exists():
            return
        last = StepLog.objects.filter(step=step).aggregate(last=Max("number"))["last"] or 0
        StepLog.objects.create(step=step, number=last + 1, line=line.replace("\x00", "\\0"))


def write_progress(step: Step, progress: dict[str, Any], *, fence: int) -> None:
    """Replace the progress of a running step, if this fence still holds its job; otherwise change nothing."""
    with transaction.atomic():
        locked_run(step.job.run_id)  # a takeover waits for this write, or this write sees the takeover
        held = Step.objects.filter(pk=step.pk, state=StepState.RUNNING, job__fence=fence, job__state=JobState.RUNNING)
        if held.update(progress=progress):
            MigrationRun.objects.filter(jobs=step.job_id).update(revision=F("revision") + 1)


def write_waits(
    job: Job, step: str, waits: dict[str, Any], *, fence: int, doing: Sequence[dict[str, Any]] = ()
) -> None:
    """Put into the progress of the step of this name what waits for it and what its sessions do.

    If it runs and this fence holds the job; otherwise nothing.
    """
    with transaction.atomic():
        locked_run(job.run_id)  # of the statement and of what waits for it neither overwrites the other
        running = Step.objects.filter(job=job, name=step, state=StepState.RUNNING)
        held = running.filter(job__fence=fence, job__state=JobState.RUNNING)
        for one in held:
            held.filter(pk=one.pk).update(progress=one.progress | {"waits": waits, "doing": list(doing)})
            MigrationRun.objects.filter(pk=job.run_id).update(revision=F("revision") + 1)


def write_cancel_end(job: Job, outcome: str, *, answer: str, fence: int) -> None:
    """Keep what became of a cancel, once, for the holder of this fence: from now on nothing of the job is under way."""
    with transaction.atomic():
        locked_run(job.run_id)
        held = Job.objects.filter(pk=job.pk, fence=fence, state=JobState.RUNNING)
        if held.update(
            cancel_ended_at=Coalesce("cancel_ended_at", Now()), cancel_outcome=outcome, cancel_answer=answer
        ):
            MigrationRun.objects.filter(pk=job.run_id).update(revision=F("revision") + 1)


def write_applied(job: Job, count: int, *, fence: int) -> None:
    """Store how many migrations of the plan are known to be in the history, for the holder of this fence."""
    Job.objects.filter(pk=job.pk, fence=fence, state=JobState.RUNNING).update(applied=count)
