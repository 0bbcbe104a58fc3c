"""object-dropped: a view, function, type or sequence goes that running code may still name."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Schema
from checks.rules._seen import is_absent, is_new, tagged

_RELATIONS = frozenset({"OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE"})
_FUNCTIONS = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
_OTHERS = frozenset({"OBJECT_EXTENSION"})


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt"):
        tree = seen.statement.tree
        kind = tree.enum("removeType")
        if kind not in _RELATIONS | _FUNCTIONS | _TYPES | _OTHERS or tree.enum("behavior") == "DROP_CASCADE":
            continue
        for change in seen.statement.changes:
            if not _is_back(context.after, kind, change, seen) and not _is_unused(seen, kind, change):
                lost = " Where it stood is lost." if kind == "OBJECT_SEQUENCE" else ""
                yield Hit(
                    seen.statement,
                    f"From the commit on, running code that uses {change.detail} {change.name} fails.{lost}",
                )


def _is_back(after: Schema, kind: str, change: Change, seen: Seen) -> bool:
    """True when the script makes something of that name again."""
    place = seen.before.place(change.name)
    if kind in _RELATIONS:
        return place in after.relations
    return place in (after.functions if kind in _FUNCTIONS else after.types)


def _is_unused(seen: Seen, kind: str, change: Change) -> bool:
    """True when nobody can be using it: made by the script itself, known not to exist, or called by triggers only."""
    if kind in _RELATIONS:
        return is_new(seen, change.name) or is_absent(seen, change.name)
    overloads = seen.before.functions.get(seen.before.place(change.name), ()) if kind in _FUNCTIONS else ()
    if overloads and all(one.is_trigger for one in overloads):
        return True  # the server refuses to drop it while a trigger calls it
    if kind in _OTHERS or not seen.before.is_complete or seen.before.doubts:
        return False
    return seen.before.place(change.name) not in (seen.before.functions if kind in _FUNCTIONS else seen.before.types)


RULE = Rule(
    code="object-dropped",
    title="View, function, type or sequence dropped",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="The server refuses to drop what another object depends on, but it does not see application code, nor the "
    "bodies of most functions. What they name fails at its next call.",
    blocks="Reads of a view that is dropped, for a moment.",
    help="Release code that does not use it first, then drop it in a migration of its own. To change a view or "
    "function, use CREATE OR REPLACE, or drop and create it in one transaction.",
    source="PostgreSQL manual, section 5.15 Dependency Tracking",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);\nCREATE VIEW open_orders AS SELECT id FROM orders;",
    bad="DROP VIEW open_orders;",
    good="DROP VIEW open_orders;\nCREATE VIEW open_orders AS SELECT id, 1 AS lines FROM orders;",
)
