"""Databases that need somebody: their history or their schema was changed past Locktender."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.utils.timezone import now

from deployments.authority import ROLES, Action, may, seen_environments
from deployments.models import Database, HistoryAlarm, User
from deployments.selectors.back_door import open_alarms, said_of
from deployments.selectors.drift import Drift, drift_of, drifts_of
from deployments.selectors.readings import TOO_OLD

MOST_NAMED = 3

Stands = Mapping[Database, Drift]
"""How databases stand to what is expected of them."""


@dataclass(frozen=True, slots=True)
class PlaceNeed:
    """A database that needs somebody: what about it, why, who can do something, and whether this person can.

    `sign` is the state that a page shows, `page` the name of the address where something can be done.
    """

    database: Database
    sign: str
    page: str
    said: str  # completes "rewards/production/main: "
    why: str
    who: str
    since: datetime
    is_mine: bool


def stands_seen(user: User) -> Stands:
    """Return how each database that this person may see stands to what is expected of it, by application and rank."""
    places = Database.objects.filter(environment__in=seen_environments(user))
    ordered = places.order_by("environment__application__slug", "environment__rank", "position")
    databases = list(ordered.select_related("environment__application"))
    stands = drifts_of(databases)
    return {one: stands[one.pk] for one in databases}


def place_needs(user: User, stands: Stands) -> Iterator[PlaceNeed]:
    """Yield what these databases need: open alarms first, then drift where it holds up deploys."""
    alarms = open_alarms(stands)
    yield from (_alarmed(user, one, alarms[one.pk]) for one in stands if one.pk in alarms)
    for one, stand in stands.items():
        if stand.is_drifted and one.environment.is_protected:
            yield _drifted(user, one, drift_of(one))


def aged() -> int:
    """Return how many databases were not read lately: pages that say what is known change with it."""
    read = Database.objects.annotate(newest=Max("observations__observed_at"))
    return read.filter(newest__lt=now() - TOO_OLD).count()


def _alarmed(user: User, database: Database, alarms: list[HistoryAlarm]) -> PlaceNeed:
    names = list(dict.fromkeys(one.migration for one in alarms))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return PlaceNeed(
        database=database,
        sign="back-door",
        page="back-door",
        said=f"its history was changed past Locktender: {said_of(alarms)}",
        why=f"{', '.join(names[:MOST_NAMED])}{more}. Find out who did it, then end the alarm with a reason.",
        who=_who(Action.END_ALARM),
        since=alarms[0].raised_at,
        is_mine=bool(may(user, Action.END_ALARM, database)),
    )


def _drifted(user: User, database: Database, drift: Drift) -> PlaceNeed:
    count = len(drift.difference.changes)
    return PlaceNeed(
        database=database,
        sign="drift",
        page="drift",
        said=f"its schema is not as expected, in {count} object{'' if count == 1 else 's'}",
        why="Deploys there are refused until it is undone, or accepted with a reason. A rollback is not held up.",
        who=_who(Action.ACCEPT_DRIFT),
        since=drift.first_seen_at or now(),
        is_mine=bool(may(user, Action.ACCEPT_DRIFT, database)),
    )


def _who(action: Action) -> str:
    return " or ".join(sorted(role.label for role in ROLES[action]))
