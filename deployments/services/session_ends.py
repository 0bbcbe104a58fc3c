"""Writing what became of wishes to end a session of others: once, with its audit event."""

from deployments.actors import Actor
from deployments.models import Job, SessionEnd
from deployments.models.session_end import SessionOutcome
from deployments.services.audit import record


def answer(wish: SessionEnd, outcome: str, *, actor: Actor) -> None:
    """Write what became of a wish, if nothing was written yet. Within a transaction that has locked its run."""
    if SessionEnd.objects.filter(pk=wish.pk, done_at=None).update(outcome=outcome):
        record(actor, "session.end-answered", wish, after={"outcome": str(outcome), "pid": wish.pid})


def leave_undone(job: Job, *, actor: Actor) -> None:
    """Write of the wishes that nobody came to that nothing of the job waits any more. As `answer`."""
    for wish in SessionEnd.objects.filter(job=job, done_at=None):
        answer(wish, SessionOutcome.NOT_TRIED, actor=actor)
