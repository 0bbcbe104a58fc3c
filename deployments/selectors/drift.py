"""Whether a database has the schema that it is expected to have: in sync, drifted or not known, and since when."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.db.models import Max, Min
from django.utils.timezone import now

from checks.schema import Difference, IgnoreRules
from deployments.models import Database, Job, Observation, SchemaExpectation, SchemaSnapshot
from deployments.selectors.history import latest_observations
from deployments.selectors.readings import TOO_OLD
from deployments.selectors.snapshots import difference_of, ignore_rules


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

    @property
    def is_unknown(self) -> bool:
        """Whether nothing can be said: that is no pass."""
        return self.stand is Stand.UNKNOWN


def drift_of(database: Database) -> Drift:
    """Return how a database stands to what is expected of it, as last read. No target is opened."""
    stands = drifts_of([database])[database.pk]
    if not stands.is_drifted or stands.expected is None:
        return stands
    return replace(stands, first_seen_at=_first_seen(database, stands.expected))


def drifts_of(databases: Collection[Database]) -> dict[int, Drift]:
    """Return by database how each stands, without since when: in three queries, and a few for each that differs."""
    newest = SchemaExpectation.objects.filter(database__in=databases).order_by("database_id", "-id")
    expected = {one.database_id: one for one in newest.distinct("database_id")}
    read = latest_observations(databases)
    works = Job.objects.filter(database__in=databases, writes=True, started_at__isnull=False, finished_at=None)
    at_work = {one.database_id: one for one in works.select_related("run")}
    return {one.pk: _stands(one, expected.get(one.pk), read.get(one.pk), at_work.get(one.pk)) for one in databases}


def _stands(
    database: Database, expected: SchemaExpectation | None, seen: Observation | None, at_work: Job | None
) -> Drift:
    why = _unknown(expected, seen, at_work)
    if why or expected is None or seen is None or seen.snapshot_id is None:
        return Drift(Stand.UNKNOWN, why, expected, seen)
    if expected.snapshot_id == seen.snapshot_id:
        return Drift(Stand.IN_SYNC, "", expected, seen)
    assert seen.snapshot is not None  # noqa: S101 # its key was looked at above
    found, ignored = compared(expected.snapshot, seen.snapshot, ignore_rules(database.environment))
    if found.why_not_comparable:
        return Drift(Stand.UNKNOWN, found.why_not_comparable, expected, seen)
    stand = Stand.IN_SYNC if found.is_equal else Stand.DRIFTED
    return Drift(stand, "", expected, seen, found, ignored=ignored)


def compared(expected: SchemaSnapshot, found: SchemaSnapshot, rules: IgnoreRules) -> tuple[Difference, tuple[str, ...]]:
    """Return what differs once rules have left out theirs, and in words what they left out."""
    difference = difference_of(expected, found, rules)
    if expected.pk == found.pk:
        return difference, ()
    all_of_it = difference_of(expected, found)
    left_out = sorted(all_of_it.objects - difference.objects)
    return difference, tuple(left_out)


def _unknown(expected: SchemaExpectation | None, seen: Observation | None, at_work: Job | None) -> str:
    """Return why nothing can be said, or ""."""
    if seen is None:
        return "It was never read."
    if expected is None or seen.snapshot_id is None:
        return "It was not read since schemas are kept."
    if at_work is not None:
        return f"Run {at_work.run} is at work there."
    return "It was not read for more than an hour." if seen.observed_at < now() - TOO_OLD else ""


def _first_seen(database: Database, expected: SchemaExpectation) -> datetime | None:
    """Return when a schema that differs was first read, since the last reading that was as expected."""
    rules = ignore_rules(database.environment)
    read = Observation.objects.filter(database=database, observed_at__gte=expected.created_at, snapshot__isnull=False)
    last_read = dict(read.values_list("snapshot").annotate(Max("id")).values_list("snapshot", "id__max"))
    schemas = SchemaSnapshot.objects.in_bulk(last_read)
    as_expected = [
        newest for pk, newest in last_read.items() if compared(expected.snapshot, schemas[pk], rules)[0].is_equal
    ]
    since = read.filter(pk__gt=max(as_expected, default=0))
    found: datetime | None = since.aggregate(at=Min("observed_at"))["at"]
    return found
