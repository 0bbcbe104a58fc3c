"""index-not-concurrent: an index built on a table that is in use, while writes wait."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.model import Kind
from checks.names import derived, unqualified
from checks.rules._seen import does, is_kind, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        (change,) = seen.statement.changes
        if is_kind(seen, change.table, Kind.PARTITIONED):
            continue  # index-on-partitioned knows a better way
        for lock in seen.effects.felt:
            if does(lock, Work.BUILD):
                name = change.name or "without a name"
                yield Hit(
                    seen.statement,
                    f"Building index {name} holds {lock.mode.words} on {lock.relation}: every insert, update and "
                    "delete waits until it is done. Reads go on.",
                    _rewrite(change),
                )


def _rewrite(change: Change) -> str:
    head, found, rest = change.definition.partition("INDEX ")
    if not found:
        return ""
    rest = rest.removeprefix("IF NOT EXISTS ")
    # Without a name a failed build could not be told from another index.
    chosen = derived(change.table, *map(unqualified, change.columns), "idx")
    named = rest if change.name else f"{chosen} {rest}"
    return f"-- alone in its file\n{head}INDEX CONCURRENTLY {named};"


RULE = Rule(
    code="index-not-concurrent",
    title="Index built without CONCURRENTLY",
    severity=Severity.WARNING,
    group=Group.INDEXES,
    why="CREATE INDEX holds a SHARE lock on the table for the whole build. Reads go on; every insert, update and "
    "delete waits. On a large table that is minutes.",
    blocks="Writes to the table, for the whole build.",
    help="Build it with CONCURRENTLY, alone in its file. A table made in the same script needs no such care; a "
    "partitioned table needs the index ON ONLY the parent and CONCURRENTLY on each partition.",
    source="PostgreSQL manual, CREATE INDEX: Building Indexes Concurrently; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);",
    bad="CREATE INDEX orders_customer_idx ON orders (customer_id);",
    good="CREATE INDEX CONCURRENTLY orders_customer_idx ON orders (customer_id);",
)
