"""index-unnamed-concurrently: a concurrent index whose name PostgreSQL chooses."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived, unqualified
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.CREATE_INDEX_CONCURRENTLY and not change.name:
                name = derived(change.table, *map(unqualified, change.columns), "idx")
                yield Hit(
                    statement,
                    f"The index on {change.table} has no name: after an interruption nobody can tell whether it is "
                    "there and valid.",
                    change.definition.replace("CONCURRENTLY ", f"CONCURRENTLY {name} ", 1) + ";"
                    if change.definition
                    else "",
                )


RULE = Rule(
    code="index-unnamed-concurrently",
    title="Concurrent index without a name",
    severity=Severity.BLOCKING,
    why="A statement outside a transaction is proved by the catalogue: the index of that name exists and is valid. "
    "PostgreSQL chooses another name at each attempt, so a retry builds a second index next to a broken one.",
    help="Give the index a name.",
    judge=_judge,
    bad="CREATE INDEX CONCURRENTLY ON orders (note);",
    good="CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
)
