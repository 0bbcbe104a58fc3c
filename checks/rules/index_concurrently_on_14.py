"""index-concurrently-on-14: the first four minor versions of 14 leave rows out of such an index."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity

_MAJOR = 14
_BUILDS = frozenset({"CREATE INDEX CONCURRENTLY"})


def _judge(context: Context) -> Iterator[Hit]:
    if context.world.version != _MAJOR:
        return
    for statement in context.script.statements:
        if statement.kind in _BUILDS or (statement.kind.startswith("REINDEX") and "CONCURRENTLY" in statement.kind):
            yield Hit(
                statement,
                f"On PostgreSQL 14.0 to 14.3, {statement.kind} can leave rows out of the index: queries then do not "
                "find them. Which minor version it is, is not known here.",
            )
            return  # once for a script is enough


RULE = Rule(
    code="index-concurrently-on-14",
    title="Index built concurrently on an early PostgreSQL 14",
    severity=Severity.NOTE,
    group=Group.INDEXES,
    why="Rows that were changed while such an index was built, and moved within their page, can be missing in it. The "
    "index counts as valid, and nothing tells.",
    blocks="Nothing.",
    help="Look at server_version. Before 14.4, upgrade first. An index that was built there is looked at with "
    "bt_index_check(index, true) of the extension amcheck, and built again where that fails.",
    source="PostgreSQL 14.4 release notes: Prevent possible corruption of indexes created or rebuilt with the "
    "CONCURRENTLY option",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
    good="CREATE TABLE lines (id bigint PRIMARY KEY, note text);\nCREATE INDEX lines_note_idx ON lines (note);",
)
