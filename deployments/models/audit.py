"""Who did what, when, under which rule: rows in a hash chain."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.grant import User


class ActorKind(models.TextChoices):
    """Who acted: a person, or the product itself."""

    PERSON = "person", "Person"
    SYSTEM = "system", "System"


class AuditEvent(models.Model):
    """One decision or transition, written in the transaction that made it.

    `seq`, `at`, `previous_hash`, `hash` and a person's name are set by a trigger, whatever the writer says. UPDATE,
    DELETE and TRUNCATE are refused, also for the owner of the table.
    """

    # The defaults are placeholders: the trigger sets these four, and an insert returns what it set.
    seq = models.BigIntegerField(primary_key=True, db_default=0)  # no gaps: a missing number is a missing event
    at = models.DateTimeField(db_default=Now())
    previous_hash = models.CharField(max_length=64, db_default="")
    hash = models.CharField(max_length=64, unique=True, db_default="")
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    actor_name = models.CharField(max_length=150)  # as it was then
    action = models.CharField(max_length=60)  # "run.approved"
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=255)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="audit_person_is_named",
                condition=Q(actor_kind="system", actor__isnull=True) | Q(actor_kind="person", actor__isnull=False),
            ),
            models.CheckConstraint(name="audit_actor_name_present", condition=~Q(actor_name="")),
            models.CheckConstraint(name="audit_action_present", condition=~Q(action="")),
        ]
        # The story of one object, and the actions of one person.
        indexes = [
            models.Index(name="audit_by_object", fields=["object_type", "object_id", "seq"]),
            models.Index(name="audit_by_actor", fields=["actor", "seq"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.actor_name} {self.action} {self.object_name}"
