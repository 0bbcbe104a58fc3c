"""Having a target looked at because of a job that needs attention: the wish, and what came of it."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.models import MigrationRun, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.resolve import NothingToResolve
from deployments.services.transition import lock_databases, locked_run
from deployments.states import JobState


def request_look(run: MigrationRun, *, actor: Actor) -> TargetRequest:
    """Ask for the target of a run in doubt to be looked at, as soon as a dispatcher or worker can; return the wish.

    Asked twice it is the same wish. The product itself may ask; a person must be one who may decide about the run.
    Raises NotAllowed, NothingToResolve.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        if actor.user is not None:
            require(actor, Action.RESOLVE, held)
        job = held.jobs.filter(state=JobState.NEEDS_ATTENTION).first()
        if job is None:
            raise NothingToResolve(number=held.number)
        lock_databases([job.database_id])
        asked = TargetRequest.objects.filter(database=job.database_id, kind=RequestKind.LOOK, answered_at=None)
        for earlier in asked.exclude(job=job):  # its job was decided about without it, and a target has one open look
            over = NothingToResolve(number=MigrationRun.objects.get(jobs=earlier.job_id).number)
            answer(earlier, code=over.code, error=str(over))
        wish, created = asked.get_or_create(
            job=job,
            defaults={
                "database_id": job.database_id,
                "kind": RequestKind.LOOK,
                "answered_at": None,
                "requested_by": actor.user,
            },
        )
        if created:
            record(actor, "job.look-requested", job)
            announce_sweep()
    return wish


def answer(wish: TargetRequest, *, found: dict[str, Any] | None = None, code: str = "", error: str = "") -> bool:
    """Write what came of a wish; False if somebody was quicker. An answer is written once, and stays."""
    written = TargetRequest.objects.filter(pk=wish.pk, answered_at=None).update(
        answered_at=Now(), found=found or {}, error_code=code, error=error
    )
    return bool(written)
