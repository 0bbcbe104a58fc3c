"""The old database after a restore: under which name it is kept, until when, and what became of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.run import Job


class KeptEnding(models.TextChoices):
    """Why a database is kept no longer."""

    DROPPED = "dropped", "Dropped when its time was over"
    TAKEN_BACK = "taken-back", "Taken back by another restore"
    GONE = "gone", "Dropped or opened by somebody else"


class KeptDatabase(models.Model):
    """One database that was exchanged for a restored one. What is in it stays as it was; nobody can enter it."""

    job = models.OneToOneField(Job, models.PROTECT, related_name="kept")  # that exchanged it
    name = models.CharField(max_length=63)  # on its server
    oid = models.BigIntegerField()  # its number there: the name alone could be somebody else's
    bytes = models.BigIntegerField()
    # What the new one held when it was exchanged, as the manifest of a backup says it: for the price of taking it back.
    baseline = models.JSONField(default=dict)
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    keep_until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=20, choices=KeptEnding, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="keptdatabase_ending_known", condition=Q(ending="") | Q(ending__in=KeptEnding.values)
            ),
            models.CheckConstraint(
                name="keptdatabase_ends_with_a_reason",
                condition=Q(ended_at__isnull=True, ending="") | (Q(ended_at__isnull=False) & ~Q(ending="")),
            ),
        ]
        # The clock looks for those whose time is over.
        indexes = [models.Index(name="keptdatabase_due", fields=["keep_until"], condition=Q(ended_at__isnull=True))]

    def __str__(self) -> str:
        return self.name
