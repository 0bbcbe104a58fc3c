"""Whether the migrations of a release produce the data model beside them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.migration import Release


class DatamodelOutcome(models.TextChoices):
    """What came of comparing them."""

    PRODUCED = "produced", "The migrations produce it"
    DIFFERENT = "different", "The migrations do not produce it"
    NOT_CHECKED = "not-checked", "Not checked"


class DatamodelCheck(models.Model):
    """One comparison of a release with its schema.prisma. Append-only. The newest counts."""

    release = models.ForeignKey(Release, models.PROTECT, related_name="datamodel_checks")
    outcome = models.CharField(max_length=20, choices=DatamodelOutcome)
    found = models.JSONField()  # {"missing": […], "more": […], "why": "…"}, in lines for people
    checked_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="datamodelcheck_outcome_known", condition=Q(outcome__in=DatamodelOutcome.values)
            )
        ]
        # What is known of a release.
        indexes = [models.Index(name="datamodelcheck_newest", fields=["release", "-id"])]

    def __str__(self) -> str:
        return f"{self.release}: {self.get_outcome_display()}"
