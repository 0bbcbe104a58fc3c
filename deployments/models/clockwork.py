"""What keeps the installation running: its identity, its periodic tasks, and signs of life of its workers."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.grant import User


class ControlPlane(models.Model):
    """The identity of this installation: one row. A target remembers it, so that a second one is refused."""

    id = models.UUIDField(primary_key=True)
    singleton = models.BooleanField(unique=True, default=True)
    # Runs up to this number were given out in a life of the control database that was lost: none is given out again.
    last_lost_run = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="controlplane_only_one", condition=Q(singleton=True))]

    def __str__(self) -> str:
        return str(self.id)


class PeriodicTask(models.Model):
    """When a periodic task is due next. Moved by compare-and-set, so any number of dispatchers may run."""

    name = models.CharField(max_length=60, primary_key=True)
    next_due_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WorkerBeat(models.Model):
    """The last sign of life of a worker on a queue. A queue without a recent one is driven by the dispatcher."""

    worker = models.CharField(max_length=200, primary_key=True)
    queue = models.CharField(max_length=60)
    beat_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.worker} at {self.beat_at}"


class Drain(models.Model):
    """While one of these is open nothing new begins: what runs is finished, and what is queued waits."""

    reason = models.TextField()
    begun_at = models.DateTimeField(db_default=Now(), editable=False)
    begun_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+"
    )  # null: the command line
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(name="drain_reason_present", condition=~Q(reason="")),
            models.UniqueConstraint(name="drain_one_at_a_time", fields=["ended_at"], nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"drain since {self.begun_at}"
