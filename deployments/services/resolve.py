"""What a person decides about a job that needs attention: let it be looked at and run again, or give it up."""

from django.db import transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun
from deployments.services.announce import announce_job
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


def run_again(run: MigrationRun, *, reason: str, actor: Actor) -> Job:
    """Queue the job again and return it. Its next executor first asks the target what is done, and goes on after that.

    Raises NotAllowed, ResolveReasonMissing, NothingToResolve.
    """
    return _decide(run, JobState.QUEUED, reason=reason, actor=actor)


def give_up(run: MigrationRun, *, reason: str, actor: Actor) -> Job:
    """End the job as failed and return it. What is committed stays and can be rolled back by a run of its own.

    Raises NotAllowed, ResolveReasonMissing, NothingToResolve.
    """
    return _decide(run, JobState.FAILED, reason=reason, actor=actor)


def _decide(run: MigrationRun, to: JobState, *, reason: str, actor: Actor) -> Job:
    if not reason.strip():
        raise ResolveReasonMissing
    with transaction.atomic():
        held = locked_run(run.pk)
        require(actor, Action.RESOLVE, held)
        job = held.jobs.filter(state=JobState.NEEDS_ATTENTION).first()
        if job is None:
            raise NothingToResolve(number=held.number)
        move_job(job, to, actor=actor, reason=reason)
        announce_job(job.pk)
    return job
