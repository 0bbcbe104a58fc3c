"""The schema of each database before a run and after it, and what the run made of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from checks.schema import Difference
from deployments.models import Database, Job, MigrationRun, Observation, Step
from deployments.selectors.snapshots import difference_of


@dataclass(frozen=True, slots=True)
class Around:
    """One database. `difference` is None where one of the two schemas is not known; `why` then says which."""

    database: Database
    before_at: datetime | None
    after_at: datetime | None
    difference: Difference | None
    why: str
    is_late: bool  # the run did not look afterwards: it is the first reading since, and may hold what others did


def schemas_around(run: MigrationRun) -> list[Around]:
    """Return what a run made of the schema of each of its databases, in their order."""
    return [_around(job) for job in run.jobs.select_related("database__environment").order_by("position")]


def has_schemas(run: MigrationRun) -> bool:
    """Return whether any schema was read for a run."""
    return _noted(Step.objects.filter(job__run=run)).exists()


def _around(job: Job) -> Around:
    steps = list(_noted(Step.objects.filter(job=job)).order_by("position", "attempt"))
    places = [step.position for step in steps]
    before = _reading(step for step in steps if step.position == min(places))
    after = _reading(step for step in steps if step.position > min(places))
    is_late = False
    if before is not None and after is None and job.finished_at is not None:
        later = Observation.objects.filter(database=job.database, observed_at__gte=job.finished_at)
        after = later.filter(snapshot__isnull=False).select_related("snapshot").order_by("id").first()
        is_late = after is not None
    difference, why = _difference(job, before, after)
    return Around(
        job.database,
        before.observed_at if before else None,
        after.observed_at if after else None,
        difference,
        why,
        is_late,
    )


def _difference(job: Job, before: Observation | None, after: Observation | None) -> tuple[Difference | None, str]:
    if before is None:
        return None, "It was not read before the run." if job.started_at else "The run did not reach it."
    if after is None:
        return None, "It was not read after the run." if job.finished_at else "The run is not through with it."
    if before.snapshot is None or after.snapshot is None:
        return None, "An earlier version of Locktender read it, and kept no schema."
    found = difference_of(before.snapshot, after.snapshot)
    return (None, found.why_not_comparable) if found.why_not_comparable else (found, "")


def _noted(steps: QuerySet[Step]) -> QuerySet[Step]:
    return steps.filter(evidence__schema__has_key="observation")


def _reading(steps: Iterable[Step]) -> Observation | None:
    """Return what the last of these steps read."""
    last = max(steps, key=lambda step: step.attempt, default=None)
    if last is None:
        return None
    return Observation.objects.select_related("snapshot").get(pk=last.evidence["schema"]["observation"])
