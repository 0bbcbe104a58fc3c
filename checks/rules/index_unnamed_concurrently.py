"""index-unnamed-concurrently: a concurrent index whose name PostgreSQL chooses."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import derived, unqualified
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        wanted = seen.statement.concurrent_index
        if wanted is None or wanted.name is not None:
            continue
        (change,) = seen.statement.changes
        name = derived(change.table, *map(unqualified, change.columns), "idx")
        named = change.definition.replace("CONCURRENTLY ", f"CONCURRENTLY {name} ", 1)
        yield Hit(
            seen.statement,
            f"The index on {change.table} has no name: after an interruption nobody can tell whether it is "
            "there and valid.",
            f"{named};" if named else "",
        )


RULE = Rule(
    code="index-unnamed-concurrently",
    title="Concurrent index without a name",
    severity=Severity.BLOCKING,
    group=Group.INDEXES,
    why="A statement outside a transaction is proved by the catalogue: the index of that name exists and is valid. "
    "PostgreSQL chooses another name at each attempt, so a retry builds a second index next to a broken one.",
    blocks="Nothing. A second attempt after a failure makes a second index.",
    help="Give the index a name.",
    source="PostgreSQL manual, CREATE INDEX: Parameters, name; measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="CREATE INDEX CONCURRENTLY ON orders (note);",
    good="CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
)
