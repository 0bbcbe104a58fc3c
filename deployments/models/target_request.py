"""What a person wants of a target that only processes of their own may open: to look at it, or to re-adopt it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Database
from deployments.models.grant import User
from deployments.models.run import Job


class RequestKind(models.TextChoices):
    """What is wanted."""

    LOOK = "look", "Look at what a job left there"
    READOPT = "readopt", "Re-adopt it"
    PRICE = "price", "Count what a restore would lose"
    SCRIPT_PRICE = "script-price", "Count what a way back by script would drop"
    TABLES = "tables", "Put tables of a backup beside those of now"


class TargetRequest(models.Model):
    """One wish about one target, and what came of it. A row that was answered stays as it is: it is evidence."""

    database = models.ForeignKey(Database, models.PROTECT, related_name="requests")
    job = models.ForeignKey(Job, models.PROTECT, null=True, blank=True, related_name="looks")
    kind = models.CharField(max_length=20, choices=RequestKind)
    requested_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+"
    )  # null: a part of us
    reason = models.TextField(blank=True)
    asked = models.JSONField(default=dict)  # what more is to be known: of which backup, and which tables
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)  # when a dispatcher last had it answered
    answered_at = models.DateTimeField(null=True, blank=True)
    found = models.JSONField(default=dict)  # what the target said
    error_code = models.CharField(max_length=60, blank=True)  # or why it said nothing
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="targetrequest_kind_known", condition=Q(kind__in=RequestKind.values)),
            models.CheckConstraint(
                name="targetrequest_looks_for_a_job",
                condition=Q(kind__in=["look", "price", "script-price", "tables"], job__isnull=False)
                | Q(kind="readopt", job__isnull=True),
            ),
            models.CheckConstraint(
                name="targetrequest_readopts_with_a_reason",
                condition=~Q(kind__in=["readopt", "tables"]) | ~Q(reason=""),
            ),
            # Pressed twice, asked once.
            models.UniqueConstraint(
                name="targetrequest_open_once", fields=["database", "kind"], condition=Q(answered_at__isnull=True)
            ),
        ]
        # A page asks for the newest look at a job.
        indexes = [models.Index(name="targetrequest_of_job", fields=["job", "-id"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.database}"
