"""column-dropped: a column and its data go, perhaps while code still reads it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.DROP_COLUMN and not statement.is_new(change.table):
                yield Hit(
                    statement,
                    f"The data of {change.name} in {change.table} is gone for good, with every index that uses it; "
                    "code that still names the column fails.",
                )


RULE = Rule(
    code="column-dropped",
    title="Column dropped",
    severity=Severity.WARNING,
    why="The rollback script can add the column again, but not its data. Application versions that still run, and "
    "every SELECT * that was prepared before, fail at once.",
    help="First release code that does not use the column. Then drop it in a migration of its own, with a verified "
    "backup, and its indexes before it with DROP INDEX CONCURRENTLY.",
    judge=_judge,
    bad="ALTER TABLE orders DROP COLUMN note;",
    good="ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;",
)
