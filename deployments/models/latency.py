"""What an application said of its own latency while a run worked."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from checks.health import MOST_LATENCY_MS
from deployments.models.run import Job

MOST_READINGS = 10_000
"""So many of one job are kept: at the usual pace, those of 14 hours."""


class LatencyReading(models.Model):
    """One answer of the health address, or that there was none. Append-only: a trigger refuses changes."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="latency_readings")
    number = models.PositiveSmallIntegerField()  # within the job, without gaps
    at = models.DateTimeField(db_default=Now(), editable=False)
    milliseconds = models.FloatField(null=True)  # as the application reports it; null: no answer, or no number in it
    is_healthy = models.BooleanField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(name="latency_number_once", fields=["job", "number"]),
            models.CheckConstraint(
                name="latency_number_bounded", condition=Q(number__gte=1, number__lte=MOST_READINGS)
            ),
            models.CheckConstraint(
                name="latency_makes_sense", condition=Q(milliseconds__gte=0, milliseconds__lte=MOST_LATENCY_MS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job} at {self.at}"
