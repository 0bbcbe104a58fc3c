"""Whether a database has the schema that it is expected to have: in sync, drifted or not known, and since when."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Max, Min
from django.utils.timezone import now

from checks.schema import Difference
from deployments.models import Database, Job, Observation, SchemaExpectation, SchemaSnapshot
from deployments.selectors.snapshots import difference_of, ignore_rules

TOO_OLD = timedelta(hours=1)
"""A reading that is older says nothing of now. Targets are read every five minutes."""


class Stand(StrEnum):
    """How a database stands to what is expected of it."""

    IN_SYNC = "in sync"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Drift:
    """How it stands, what differs, and why nothing is known where it is not."""

    stand: Stand
    why: str = ""  # it is not known
    expected: SchemaExpectation | None = None
    seen: Observation | None = None
    difference: Difference = field(default_factory=Difference)
    first_seen_at: datetime | None = None
    ignored: tuple[str, ...] = ()  # what rules left out of what differs, in words

    @property
    def is_drifted(self) -> bool:
        """Whether it differs, for all that is known."""
        return self.stand is Stand.DRIFTED


def drift_of(database: Database) -> Drift:
    """Return how a database stands to what is expected of it, as last read. No target is opened."""
    expected = database.expectations.select_related("snapshot", "job__run", "accepted_by").order_by("-id").first()
    seen = database.observations.select_related("snapshot").defer("sizes", "model", "schema").order_by("-id").first()
    why = _unknown(database, expected, seen)
    if why or expected is None or seen is None or seen.snapshot is None:
        return Drift(Stand.UNKNOWN, why, expected, seen)
    found, ignored = compared(expected.snapshot, seen.snapshot)
    if found.why_not_comparable:
        return Drift(Stand.UNKNOWN, found.why_not_comparable, expected, seen)
    if found.is_equal:
        return Drift(Stand.IN_SYNC, "", expected, seen, found, ignored=ignored)
    return Drift(Stand.DRIFTED, "", expected, seen, found, _first_seen(database, expected), ignored)


def compared(expected: SchemaSnapshot, found: SchemaSnapshot) -> tuple[Difference, tuple[str, ...]]:
    """Return what differs once the rules of this installation have left out theirs, and in words what they left out."""
    rules = ignore_rules()
    difference = difference_of(expected, found, rules)
    if expected.pk == found.pk:
        return difference, ()
    all_of_it = difference_of(expected, found)
    left_out = sorted(all_of_it.objects - difference.objects)
    return difference, tuple(left_out)


def _unknown(database: Database, expected: SchemaExpectation | None, seen: Observation | None) -> str:
    """Return why nothing can be said, or ""."""
    if seen is None:
        return "It was never read."
    if expected is None or seen.snapshot is None:
        return "It was not read since schemas are kept."
    if (job := _at_work(database)) is not None:
        return f"Run {job.run} is at work there."
    return "It was not read for more than an hour." if seen.observed_at < now() - TOO_OLD else ""


def _at_work(database: Database) -> Job | None:
    works = Job.objects.filter(database=database, writes=True, started_at__isnull=False, finished_at=None)
    return works.select_related("run").first()


def _first_seen(database: Database, expected: SchemaExpectation) -> datetime | None:
    """Return when a schema that differs was first read, since the last reading that was as expected."""
    read = Observation.objects.filter(database=database, observed_at__gte=expected.created_at, snapshot__isnull=False)
    last_read = dict(read.values_list("snapshot").annotate(Max("id")).values_list("snapshot", "id__max"))
    schemas = SchemaSnapshot.objects.in_bulk(last_read)
    as_expected = [newest for pk, newest in last_read.items() if compared(expected.snapshot, schemas[pk])[0].is_equal]
    since = read.filter(pk__gt=max(as_expected, default=0))
    found: datetime | None = since.aggregate(at=Min("observed_at"))["at"]
    return found
