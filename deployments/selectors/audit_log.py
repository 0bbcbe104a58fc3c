"""The audit log as a list: who may read how much of it, filters, pages, and what an export holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from deployments.authority import Action, may
from deployments.models import AuditEvent, Backup, Job, MigrationRun, Step, User
from deployments.selectors.run_page import seen_run

PAGE = 100
MOST_EXPORTED = 100_000
CHUNK = 2000
COLUMNS = (
    "seq",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "object_type",
    "object_id",
    "object_name",
    "before",
    "after",
    "reason",
    "request_id",
    "address",
    "previous_hash",
    "hash",
)
"""What an export holds: everything that the hash of an event is over, and both hashes."""


class Reach(StrEnum):
    """How much of the log a person may read."""

    ALL = "all"
    RUN = "run"  # the story of one run
    OWN = "own"  # what they did themselves


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; "" and None do not limit. `until` is the last day that is in it."""

    actor: str = ""
    action: str = ""
    about: str = ""
    run: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The events a person may read of those they look for. `run` is the one that was named, None if there is none."""

    events: QuerySet[AuditEvent]
    reach: Reach
    run: MigrationRun | None


def find_events(user: User, wanted: Wanted) -> Found:
    """Return what matches, newest first. An unknown run matches nothing."""
    run = seen_run(user, wanted.run) if wanted.run is not None else None
    if may(user, Action.READ_AUDIT):
        reach = Reach.ALL
    elif run is not None and may(user, Action.READ_AUDIT, run):
        reach = Reach.RUN
    else:
        reach = Reach.OWN
    events = AuditEvent.objects.order_by("-seq")
    if reach is Reach.OWN:
        events = events.filter(actor=user)
    if wanted.run is not None:
        events = events.filter(_about(run)) if run else events.none()
    if wanted.actor:
        events = events.filter(actor_name__iexact=wanted.actor)
    if wanted.action:
        events = events.filter(action__istartswith=wanted.action)
    if wanted.about:
        events = events.filter(object_name__icontains=wanted.about)
    if wanted.since:
        events = events.filter(at__gte=datetime.combine(wanted.since, time.min, UTC))
    if wanted.until:
        events = events.filter(at__lte=datetime.combine(wanted.until, time.max, UTC))
    return Found(events, reach, run)


def page_of(events: QuerySet[AuditEvent], *, before: int | None) -> tuple[list[AuditEvent], int | None]:
    """Return a page of events, and the number to ask for the older ones with; None if there are none."""
    older = events.filter(seq__lt=before) if before is not None else events
    found = list(older[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].seq if len(found) > PAGE else None


def is_too_many(events: QuerySet[AuditEvent]) -> bool:
    """Return whether there are more events than one export holds."""
    return events[MOST_EXPORTED : MOST_EXPORTED + 1].exists()


def rows_of(events: QuerySet[AuditEvent]) -> Iterator[dict[str, Any]]:
    """Yield the values of each event, oldest first, without holding them all."""
    yield from events.order_by("seq").values(*COLUMNS).iterator(chunk_size=CHUNK)


def _about(run: MigrationRun) -> Q:
    """Return the condition for the story of a run: itself, its jobs, their steps and backups."""
    jobs = [str(pk) for pk in Job.objects.filter(run=run).values_list("pk", flat=True)]
    steps = [str(pk) for pk in Step.objects.filter(job__run=run).values_list("pk", flat=True)]
    backups = [str(pk) for pk in Backup.objects.filter(job__run=run).values_list("pk", flat=True)]
    return (
        Q(object_type="migrationrun", object_id=str(run.pk))
        | Q(object_type="job", object_id__in=jobs)
        | Q(object_type="step", object_id__in=steps)
        | Q(object_type="backup", object_id__in=backups)
    )
