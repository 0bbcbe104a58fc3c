"""Runs whose application reports its latency, with readings at instants of a test's own."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connections

from deployments.models import HealthCheck, Job, LatencyReading
from tests.deployments.cast import Cast
from tests.pages import made

SECONDS = timedelta(seconds=1)
Told = tuple[float, float | None]
"""Seconds after the step migrate began, and the latency."""


def reporting(cast: Cast, *, path: str = "latency.p99_ms") -> None:
    """Have production's application report its latency there."""
    HealthCheck.objects.create(environment=cast.production, url="http://shop.example/health", latency_path=path)


def running(cast: Cast, *told: Told) -> made.Executor:
    """Return an executor in the middle of the second migration, with these readings."""
    reporting(cast)
    acts = made.running(cast)
    keep(acts.job, told)
    return acts


def migrated_at(job: Job) -> datetime:
    began = job.steps.get(name="migrate").started_at
    assert began is not None
    return began


def keep(job: Job, told: Iterable[Told], *, is_healthy: bool = True) -> None:
    """Append readings. Their time is the database's, so the owner of the tables puts that rule aside for a moment."""
    began, known = migrated_at(job), job.latency_readings.count()
    rows = [
        LatencyReading(
            job=job, number=number, at=began + after * SECONDS, milliseconds=milliseconds, is_healthy=is_healthy
        )
        for number, (after, milliseconds) in enumerate(told, start=known + 1)
    ]
    with connections["owner"].cursor() as owner:
        owner.execute("ALTER TABLE deployments_latencyreading DISABLE TRIGGER latencyreading_dated")
        LatencyReading.objects.using("owner").bulk_create(rows)
        owner.execute("ALTER TABLE deployments_latencyreading ENABLE ALWAYS TRIGGER latencyreading_dated")
