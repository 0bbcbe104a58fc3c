"""Which triggers a statement on rows may fire."""

from __future__ import annotations

from collections.abc import Iterable

from checks.locks.gathering import Gathering
from checks.locks.peers import family
from checks.model import Relation
from checks.names import quote

# One event of a statement, with the columns that an UPDATE sets.
Event = tuple[str, frozenset[str]]


def deleted() -> Event:
    """Return the event of rows that go."""
    return ("DELETE", frozenset())


def inserted() -> Event:
    """Return the event of rows that come."""
    return ("INSERT", frozenset())


def emptied() -> Event:
    """Return the event of a table that is emptied."""
    return ("TRUNCATE", frozenset())


def updated(columns: Iterable[str]) -> Event:
    """Return the event of rows in which these columns are set."""
    return ("UPDATE", frozenset(columns))


def doubt_triggers(g: Gathering, table: Relation, events: Iterable[Event], *, goes_down: bool = True) -> None:
    """Name the triggers of a table, and of those below it, that these events may fire."""
    known, tables = set(events), list(family(g.schema, table)) if goes_down else [table]
    keys = frozenset[str]().union(*(one.partition_columns for one in tables))
    if any(event == "UPDATE" and not keys.isdisjoint(changed) for event, changed in known):
        known |= {deleted(), inserted()}  # a row that moves to another partition goes from the first one
    for one in tables:
        for trigger in sorted(one.triggers):
            if any(_fires(one, trigger, *event) for event in known):
                g.doubt(f"what the trigger {quote(trigger)} of {one.name} does")


def _fires(table: Relation, trigger: str, event: str, changed: frozenset[str]) -> bool:
    """Tell whether an event may fire a trigger. Where it is not known when it fires: yes."""
    firing = table.firings.get(trigger)
    if firing is None:
        return True
    if event not in firing.events:
        return False
    # A generated column changes with those that it is computed from.
    computed = {one.name for one in table.columns.values() if one.generated}
    return event != "UPDATE" or not firing.columns or not firing.columns.isdisjoint(changed | computed)
