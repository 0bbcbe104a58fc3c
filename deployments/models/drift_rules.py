"""What of an environment's schemas is left out when they are compared with what is expected."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Environment
from deployments.models.grant import User


class DriftRules(models.Model):
    """Ignore rules of one environment, beside those of the installation. Append-only. The newest counts."""

    environment = models.ForeignKey(Environment, models.PROTECT, related_name="drift_rules")
    rules = models.JSONField()  # as `checks.schema.IgnoreRules` has it
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(name="driftrules_reason_present", condition=~Q(reason=""))]
        # What is left out in an environment now.
        indexes = [models.Index(name="driftrules_newest", fields=["environment", "-id"])]

    def __str__(self) -> str:
        return f"What is ignored in {self.environment}"
