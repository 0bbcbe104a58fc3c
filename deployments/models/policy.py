"""What an environment asks of a plan, as versioned data."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Environment
from deployments.models.grant import User


class Policy(models.Model):
    """One version of the rules of one environment. Append-only; the highest version is in force."""

    environment = models.ForeignKey(Environment, models.PROTECT, related_name="policies")
    version = models.PositiveIntegerField()
    rules = models.JSONField()  # read by checks.policy.Rules
    reason = models.TextField()
    created_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="policy_version_once", fields=["environment", "version"]),
            models.UniqueConstraint(name="policy_environment", fields=["id", "environment"]),
            models.CheckConstraint(name="policy_version_positive", condition=Q(version__gte=1)),
            models.CheckConstraint(name="policy_reason_present", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.environment} v{self.version}"
