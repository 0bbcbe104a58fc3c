"""Writing the record. Every decision and transition calls `record` inside the transaction that makes it."""

from typing import Any

from django.db import connection
from django.db.models import Model

from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import AuditEvent
from deployments.models.audit import ActorKind


class NotInTransaction(DeploymentError):
    """An audit event was about to be written apart from what it tells."""

    code = "audit-outside-transaction"

    def __init__(self, *, action: str) -> None:
        super().__init__(
            f"The audit event {action} was refused, because no transaction is open. Nothing was written. "
            "This is a defect of the product: report it with the request id."
        )


def record(
    actor: Actor,
    action: str,
    subject: Model,
    *,
    before: Any = None,
    after: Any = None,
    reason: str = "",
) -> AuditEvent:
    """Write one audit event about `subject` and return it with its place in the chain.

    The chain is written one transaction at a time, from here to the commit. So a service locks the rows it needs
    before it records, and does nothing slow after. Raises NotInTransaction outside of a transaction.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(action=action)
    return AuditEvent.objects.create(
        actor_kind=ActorKind.SYSTEM if actor.user is None else ActorKind.PERSON,
        actor=actor.user,
        actor_name=actor.name,
        action=action,
        object_type=str(subject._meta.model_name),
        object_id=str(subject.pk),
        object_name=str(subject)[:255],
        before=before,
        after=after,
        reason=reason,
        request_id=actor.request_id,
        address=actor.address,
    )
