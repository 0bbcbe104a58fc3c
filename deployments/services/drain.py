"""Draining: nothing new begins, what runs is finished. For an upgrade, or for a restore of the control database."""

from django.db import transaction
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import ControlPlane, Drain
from deployments.services.announce import announce_sweep
from deployments.services.audit import record


class DrainReasonMissing(DeploymentError):
    """A drain was begun without a reason."""

    code = "drain-reason-missing"

    def __init__(self) -> None:
        super().__init__("A drain holds up everybody, so it needs a reason. Nothing was changed. Give one.")


class NotDraining(DeploymentError):
    """There is no drain to end."""

    code = "not-draining"

    def __init__(self) -> None:
        super().__init__("There is no drain. Nothing was changed. New jobs begin as they are due.")


def begin_drain(*, reason: str, actor: Actor) -> Drain:
    """From now on begin nothing new, and return the drain; the one that is open already, if there is one.

    Jobs that run go on to their end, and one whose executor is lost is taken over: what was begun is finished.
    Raises NotAllowed, DrainReasonMissing.
    """
    _require(actor)
    if not reason.strip():
        raise DrainReasonMissing
    with transaction.atomic():
        plane = ControlPlane.objects.get()
        drain, created = Drain.objects.get_or_create(ended_at=None, defaults={"reason": reason, "begun_by": actor.user})
        if created:
            record(actor, "drain.begun", plane, reason=reason)
    return drain


def end_drain(*, actor: Actor) -> Drain:
    """Let new jobs begin again, and return the drain that ended. Raises NotAllowed, NotDraining."""
    _require(actor)
    with transaction.atomic():
        drain = Drain.objects.select_for_update().filter(ended_at=None).first()
        if drain is None:
            raise NotDraining
        Drain.objects.filter(pk=drain.pk).update(ended_at=Now(), ended_by=actor.user)
        record(actor, "drain.ended", ControlPlane.objects.get(), before=drain.reason)
        announce_sweep()
    return drain


def _require(actor: Actor) -> None:
    """Let the command line itself drain, and people by their roles for the whole installation. Raises NotAllowed."""
    if actor.user is not None:
        require(actor, Action.DRAIN)
