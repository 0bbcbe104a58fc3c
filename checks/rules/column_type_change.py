"""column-type-change: a new type for an existing column."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.COLUMN_TYPE and not statement.is_new(change.table):
                yield Hit(
                    statement,
                    f"Changing {change.name} of {change.table} to {change.detail} may rewrite the whole table while "
                    "nobody can read or write it. Whether it does depends on the type it has now.",
                    _rewrite(change),
                    change.offset,
                )


def _rewrite(change: Change) -> str:
    if not change.detail:
        return ""
    table, column = change.table, change.name
    new, old = derived(column, "new"), derived(column, "old")
    value = change.definition or f"{column}::{change.detail}"
    return (
        f"-- 1. the new column beside the old one\n"
        f"ALTER TABLE {table} ADD COLUMN {new} {change.detail};\n"
        f"-- 2. a trigger that keeps both equal, then in batches by key, each in its own transaction:\n"
        f"UPDATE {table} SET {new} = {value} WHERE {new} IS NULL AND {column} IS NOT NULL;\n"
        f"-- 3. indexes and constraints on {new}, then in one short transaction:\n"
        f"ALTER TABLE {table} RENAME COLUMN {column} TO {old};\n"
        f"ALTER TABLE {table} RENAME COLUMN {new} TO {column};"
    )


RULE = Rule(
    code="column-type-change",
    title="Column type changed in place",
    severity=Severity.WARNING,
    why="ALTER COLUMN TYPE takes an ACCESS EXCLUSIVE lock. Unless the new type only widens the old one, every row and "
    "every index is rewritten under it.",
    help="Add a column of the new type, keep both equal, fill in batches, then swap the names. Widening a varchar, or "
    "varchar to text, needs none of this.",
    judge=_judge,
    bad="ALTER TABLE orders ALTER COLUMN id TYPE bigint;",
    good="ALTER TABLE orders ADD COLUMN id_new bigint;",
)
