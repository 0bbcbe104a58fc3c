"""What keeps the installation running: its identity, its periodic tasks, and signs of life of its workers."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class ControlPlane(models.Model):
    """The identity of this installation: one row. A target remembers it, so that a second one is refused."""

    id = models.UUIDField(primary_key=True)
    singleton = models.BooleanField(unique=True, default=True)

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
