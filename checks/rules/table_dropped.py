"""table-dropped: a table and its data go."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            cascades = change.verb is Verb.DROP_CASCADE and change.table and not change.name
            if (change.verb is Verb.DROP_TABLE or cascades) and not statement.is_new(change.table):
                also = " So does everything that depends on it." if cascades else ""
                yield Hit(
                    statement,
                    f"Table {change.table} and all its rows are gone for good.{also}",
                    f"-- out of reach, but not lost; drop it when nobody has missed it\n"
                    f"ALTER TABLE {change.table} RENAME TO {derived(change.table, 'dropped')};",
                )


RULE = Rule(
    code="table-dropped",
    title="Table dropped",
    severity=Severity.WARNING,
    why="A rollback script can create the table again, but not its rows. The drop also takes an ACCESS EXCLUSIVE lock "
    "on every table joined to it by a foreign key.",
    help="Rename the table away first, wait a release, then drop it with a verified backup. Drop its foreign keys one "
    "by one before.",
    judge=_judge,
    bad="DROP TABLE orders_archive;",
    good="COMMENT ON TABLE orders_archive IS 'Unused; to be dropped after the next release';",
)
