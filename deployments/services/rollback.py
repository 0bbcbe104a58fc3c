"""The way back as one press: frozen, and begun in the same transaction when nobody else is asked."""

from uuid import UUID

from django.db import transaction

from deployments.actors import Actor
from deployments.models import MigrationRun
from deployments.selectors.lane import TAKEN_ALONE
from deployments.selectors.runs import unmet_of
from deployments.services.audit import record
from deployments.services.decide import start
from deployments.services.plan import request_automatic_rollback, request_rollback
from deployments.services.transition import lock_databases, locked_run


def roll_back(run: MigrationRun, *, reason: str, request_key: UUID, digest: str, actor: Actor) -> MigrationRun:
    """Freeze the way back from a run and return its run: queued if nothing is unmet, else it awaits its decision.

    `digest` is that of the draft the person saw. Raises what `request_rollback` and `start` raise; then nothing was
    planned either.
    """
    with transaction.atomic():
        held = _held(run)
        back = request_rollback(held, reason=reason, request_key=request_key, digest=digest, actor=actor)
        return back if unmet_of(back) else _begun(back, actor=actor)


def roll_back_by_itself(run: MigrationRun, *, code: str, actor: Actor) -> MigrationRun:
    """Freeze and begin the way back that a run's policy wants after a failure of this code, and return its run.

    Raises NotByItself where a person has to decide, and what `request_automatic_rollback` and `start` raise.
    """
    with transaction.atomic():
        return _begun(request_automatic_rollback(_held(run), code=code, actor=actor), actor=actor)


def tell_why_not(run: MigrationRun, *, code: str, why: str, actor: Actor) -> None:
    """Record why a run was not rolled back by itself although its policy wants that."""
    with transaction.atomic():
        record(actor, "run.not-rolled-back-by-itself", run, after={"code": code}, reason=why)


def _held(run: MigrationRun) -> MigrationRun:
    held = locked_run(run.pk)  # the second of two presses waits here and finds the first one's run
    # Before the audit chain, which the request holds to its end: `start` takes the same locks in this order.
    lock_databases(held.environment.databases.values_list("pk", flat=True))
    return held


def _begun(back: MigrationRun, *, actor: Actor) -> MigrationRun:
    begun = start(back, actor=actor)
    lane = begun.plan["lane"]
    if lane["asked"] or lane["automatic"]:  # else the policy asks nobody anyway, and there is nothing to tell
        record(actor, TAKEN_ALONE, begun, after={"would_ask": lane["asked"], "automatic": lane["automatic"]})
    return begun
