"""A person's yes or no to one digest."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from deployments.models.grant import Role, User
from deployments.models.run import MigrationRun


class Verdict(models.TextChoices):
    """What a person said."""

    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Approval(models.Model):
    """A verdict of one person on one run as it was asked for and with the content it had. Append-only.

    The database holds four eyes by itself: (run, requester, digest) is a foreign key to the run, so neither a forged
    requester nor an approval of other content fits, and the approver differs from that requester.
    """

    run = models.ForeignKey(MigrationRun, models.PROTECT, related_name="approvals")
    requester = models.ForeignKey(User, models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    approver = models.ForeignKey(User, models.PROTECT, related_name="approvals")
    role = models.CharField(max_length=20, choices=Role)  # the hat worn: one approval counts for one role
    verdict = models.CharField(max_length=10, choices=Verdict)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="approval_role_may_approve", condition=Q(role__in=["dba", "architect"])),
            models.CheckConstraint(name="approval_verdict_known", condition=Q(verdict__in=Verdict.values)),
            models.CheckConstraint(name="approval_not_by_the_requester", condition=~Q(approver=F("requester"))),
            models.UniqueConstraint(name="approval_once_per_person", fields=["run", "approver"]),
        ]

    def __str__(self) -> str:
        return f"{self.approver} {self.verdict} {self.run}"
