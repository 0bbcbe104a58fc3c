"""index-not-concurrent: an index built on an existing table while writes wait."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived, unqualified
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.CREATE_INDEX and not statement.is_new(change.table):
                name = change.name or "without a name"
                yield Hit(
                    statement,
                    f"Building index {name} blocks every write to {change.table} until it is done.",
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
    why="CREATE INDEX holds a SHARE lock on the table for the whole build. Reads go on; every insert, update and "
    "delete waits. On a large table that is minutes.",
    help="Build it with CONCURRENTLY, alone in its file. A table made in the same script needs no such care; a "
    "partitioned table needs the index ON ONLY the parent and CONCURRENTLY on each partition.",
    judge=_judge,
    bad="CREATE INDEX orders_customer_idx ON orders (customer_id);",
    good="CREATE INDEX CONCURRENTLY orders_customer_idx ON orders (customer_id);",
)
