"""A person's wish that a run rests where nothing is half done, and the wish that it goes on."""

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun
from deployments.selectors.pausing import rests
from deployments.selectors.runs import unmet_of
from deployments.services.announce import announce_job, announce_wish
from deployments.services.audit import record
from deployments.services.decide import NotYet
from deployments.services.transition import locked_run
from deployments.states import JobState

NOT_SEEN = {"seen": False}
"""The world of a job that came to rest in the middle of its plan while its target could not be asked."""


class PauseReasonMissing(DeploymentError):
    """A pause was asked for without its reason."""

    code = "pause-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "A pause needs a reason, so that whoever finds the run knows what it waits for. Nothing was changed. "
            "Give one."
        )


class ResumeReasonMissing(DeploymentError):
    """A pause that somebody else asked for was to be taken back without a reason."""

    code = "resume-reason-missing"

    def __init__(self, *, by: str) -> None:
        super().__init__(f"{by} asked for this pause. Nothing was changed. Say why the run may go on all the same.")


class PausedAlready(DeploymentError):
    """Somebody asked for a pause before."""

    code = "paused-already"

    def __init__(self, *, number: int, by: str) -> None:
        super().__init__(f"{by} asked run #{number} to pause already. Nothing was changed. Resume it to let it go on.")


class NothingToPause(DeploymentError):
    """The run has no place left at which it could rest."""

    code = "nothing-to-pause"

    def __init__(self, *, number: int, why: str) -> None:
        super().__init__(f"Run #{number} cannot be paused: {why} Nothing was changed. Follow it to see how it ends.")


class NotPaused(DeploymentError):
    """Nobody asked for a pause, or somebody took it back."""

    code = "not-paused"

    def __init__(self, *, number: int) -> None:
        super().__init__(f"Run #{number} is not paused. Nothing was changed. Follow it to see how it goes on.")


def request_pause(run: MigrationRun, *, reason: str, actor: Actor) -> MigrationRun:
    """Ask a run to rest. What is queued is taken up by nobody; what runs rests at the next place where it can.

    Raises NotAllowed, PauseReasonMissing, PausedAlready, NothingToPause.
    """
    if not reason.strip():
        raise PauseReasonMissing
    with transaction.atomic():
        held = locked_run(run.pk)
        person = require(actor, Action.PAUSE, held)
        if held.pause_requested_at is not None:
            raise PausedAlready(number=held.number, by=str(held.pause_requested_by))
        rest = rests(held)
        if not rest.is_possible:
            raise NothingToPause(number=held.number, why=rest.words)
        MigrationRun.objects.filter(pk=held.pk).update(
            pause_requested_at=Now(), pause_requested_by=person, pause_reason=reason, revision=F("revision") + 1
        )
        record(actor, "run.pause-requested", held, reason=reason)
        announce_wish(held.pk)
    run.refresh_from_db()
    return run


def resume(run: MigrationRun, *, reason: str = "", actor: Actor) -> MigrationRun:
    """Let a run go on, if all that its policy asks for before a change still holds.

    Its next executor looks at the target first. A wish to pause that was not obeyed yet is taken back. Raises
    NotAllowed, NotPaused, ResumeReasonMissing, and NotYet with what is unmet.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        person = require(actor, Action.PAUSE, held)
        if held.pause_requested_at is None:
            raise NotPaused(number=held.number)
        if held.pause_requested_by != person and not reason.strip():
            raise ResumeReasonMissing(by=str(held.pause_requested_by))
        if _is_something_left(held) and (waits := unmet_of(held)):
            raise NotYet(number=held.number, waits=tuple(one.text for one in waits))
        before = {"paused_by": str(held.pause_requested_by), "reason": held.pause_reason}
        MigrationRun.objects.filter(pk=held.pk).update(
            pause_requested_at=None, pause_requested_by=None, pause_reason="", revision=F("revision") + 1
        )
        record(actor, "run.resumed", held, before=before, reason=reason)
        for job in held.jobs.filter(state=JobState.QUEUED):
            Job.objects.filter(pk=job.pk).update(sent_at=None)
            announce_job(job.pk)
        announce_wish(held.pk)
    run.refresh_from_db()
    return run


def _is_something_left(run: MigrationRun) -> bool:
    """Whether a migration of the plan is still to be run somewhere: what is asked before a change is asked again."""
    jobs = run.jobs.all()
    planned = len(run.plan["migrations"])
    return not jobs or any(job.applied < planned for job in jobs)
