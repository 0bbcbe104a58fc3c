"""Who signed in and out, for the record. What is kept of refusals is decided in `sign_in`."""

from django.db import transaction

from deployments.actors import Actor
from deployments.models import User
from deployments.services.audit import record


def record_sign_in(user: User, *, actor: Actor) -> None:
    """Write down that a person signed in."""
    with transaction.atomic():
        record(actor, "session.opened", user)


def record_sign_out(user: User, *, actor: Actor) -> None:
    """Write down that a person signed out."""
    with transaction.atomic():
        record(actor, "session.closed", user)
