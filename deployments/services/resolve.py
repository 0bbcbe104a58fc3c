"""What a person decides about a job that needs attention: run it again, confirm what is applied, or give it up."""

from typing import Any

from django.db import transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun, TargetRequest
from deployments.selectors.doubts import newest_look, why_not_confirmed
from deployments.selectors.runs import waits_for_window
from deployments.services.announce import announce_job
from deployments.services.audit import record
from deployments.services.decide import NotYet
from deployments.services.pause import NOT_SEEN
from deployments.services.transition import locked_run, move_job
from deployments.states import JobState


class NothingToResolve(DeploymentError):
    """No job of the run needs attention."""

    code = "nothing-to-resolve"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"No job of run #{number} needs attention. Nothing was changed. Follow the run to see it go on."
        )


class ResolveReasonMissing(DeploymentError):
    """A decision about a run in doubt was given without its reason."""

    code = "resolve-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "A decision about a run in doubt needs a reason, for the record. Nothing was changed. Give one."
        )


class NotShownApplied(DeploymentError):
    """A migration was to be confirmed as applied, but the target does not show that it is."""

    code = "not-shown-applied"

    def __init__(self, *, number: int, why: str) -> None:
        super().__init__(
            f"Run #{number} is not confirmed as applied: {why} Nothing was changed. "
            "Have the target looked at again; where it shows nothing, run it again or give it up."
        )


def run_again(run: MigrationRun, *, reason: str, actor: Actor) -> Job:
    """Queue the job again and return it. Its next executor first asks the target what is done, and goes on after that.

    A statement of which the target itself cannot tell is sent once more: that is what is decided then, and recorded.
    What is left to be run needs the window of the plan, as at the start. Raises NotAllowed, ResolveReasonMissing,
    NothingToResolve, NotYet.
    """
    with transaction.atomic():
        job = _open(run, Action.RESOLVE, reason=reason, actor=actor)
        if job.applied < len(run.plan["migrations"]) and (closed := waits_for_window(run)):
            raise NotYet(number=run.number, waits=(closed,))
        seen = newest_look(job)
        doubt = seen.found.get("doubt") if seen else None
        decided = {}
        if seen is not None and doubt and doubt["is_applied"] is None and doubt["statement"] is not None:
            # For one executor: if that one is lost too, nobody has decided about what it may have sent.
            decided = _decision(doubt, seen, is_applied=False) | {"for_claim": job.claims + 1}
            record(actor, "job.resend-decided", job, after=decided | {"why": doubt["why"]}, reason=reason)
        return _move(job, JobState.QUEUED, reason=reason, actor=actor, decided=decided)


def give_up(run: MigrationRun, *, reason: str, actor: Actor) -> Job:
    """End the job as failed and return it. What is committed stays and can be rolled back by a run of its own.

    Raises NotAllowed, ResolveReasonMissing, NothingToResolve.
    """
    with transaction.atomic():
        job = _open(run, Action.RESOLVE, reason=reason, actor=actor)
        return _move(job, JobState.FAILED, reason=reason, actor=actor)


def confirm_applied(run: MigrationRun, *, look: int, reason: str, actor: Actor) -> Job:
    """Queue the job again and return it, with the word of a person that what was in doubt is applied.

    That is taken from nobody without the target's own: the newest look (`look`, which the person has read) shows it,
    and was made after the doubt arose, lately. The next executor asks the target once more, and never sends again what
    was confirmed. Raises NotAllowed, ResolveReasonMissing, NothingToResolve, NotShownApplied.
    """
    with transaction.atomic():
        job = _open(run, Action.CONFIRM, reason=reason, actor=actor)
        seen = newest_look(job)
        why = why_not_confirmed(seen)
        if seen is None or why:
            raise NotShownApplied(number=run.number, why=why)
        if seen.pk != look:
            why = "another look at the target was made since this page was read."
            raise NotShownApplied(number=run.number, why=why)
        doubt = seen.found["doubt"]
        decided = _decision(doubt, seen, is_applied=True)
        record(actor, "job.confirmed-applied", job, after=decided | {"why": doubt["why"]}, reason=reason)
        return _move(job, JobState.QUEUED, reason=reason, actor=actor, decided=decided)


def _decision(doubt: dict[str, Any], seen: TargetRequest, *, is_applied: bool) -> dict[str, Any]:
    of = {"migration": doubt["migration"], "statement": doubt["statement"], "look": seen.pk}
    return of | {"is_applied": is_applied}


def _open(run: MigrationRun, action: Action, *, reason: str, actor: Actor) -> Job:
    """Return the job of a locked run that needs attention, if this person may take this way on."""
    if not reason.strip():
        raise ResolveReasonMissing
    held = locked_run(run.pk)
    require(actor, action, held)
    job = held.jobs.filter(state=JobState.NEEDS_ATTENTION).first()
    if job is None:
        raise NothingToResolve(number=held.number)
    return job


def _move(job: Job, to: JobState, *, reason: str, actor: Actor, **facts: Any) -> Job:
    if to == JobState.QUEUED and job.paused_world == NOT_SEEN:
        facts["paused_world"] = None  # what nothing showed, this person has looked at
    move_job(job, to, actor=actor, reason=reason, **facts)
    announce_job(job.pk)
    return job
