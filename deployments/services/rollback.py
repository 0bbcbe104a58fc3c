"""The way back as one press: frozen, and begun in the same transaction when the policy asks nobody else."""

from uuid import UUID

from django.db import transaction

from deployments.actors import Actor
from deployments.models import MigrationRun
from deployments.selectors.runs import unmet_of
from deployments.services.decide import start
from deployments.services.plan import request_rollback
from deployments.services.transition import lock_databases, locked_run


def roll_back(run: MigrationRun, *, reason: str, request_key: UUID, digest: str, actor: Actor) -> MigrationRun:
    """Freeze the way back from a run and return its run: queued if nothing is unmet, else it awaits its decision.

    `digest` is that of the draft the person saw. Raises what `request_rollback` and `start` raise; then nothing was
    planned either.
    """
    with transaction.atomic():
        held = locked_run(run.pk)  # the second of two presses waits here and finds the first one's run
        # Before the audit chain, which the request holds to its end: `start` takes the same locks in this order.
        lock_databases(held.environment.databases.values_list("pk", flat=True))
        back = request_rollback(held, reason=reason, request_key=request_key, digest=digest, actor=actor)
        return back if unmet_of(back) else start(back, actor=actor)
