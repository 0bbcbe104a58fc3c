"""column-renamed: code that runs while the migration is applied still uses the old name."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived, sibling
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.RENAME_COLUMN and not statement.is_new(change.table):
                yield Hit(
                    statement,
                    f"From this moment on, running code that names {change.name} of {change.table} fails.",
                    _rewrite(change),
                )


def _rewrite(change: Change) -> str:
    base = derived(change.table, "base")
    moved = sibling(change.table, base)
    lines = (
        "-- in one transaction: the old name stays, as a column of a view in the table's place",
        f"ALTER TABLE {change.table} RENAME TO {base};",
        f"ALTER TABLE {moved} RENAME COLUMN {change.name} TO {change.detail};",
        f"CREATE VIEW {change.table} AS SELECT *, {change.detail} AS {change.name} FROM {moved};",  # noqa: S608 - a suggestion for a person to read
    )
    return "\n".join(lines)


RULE = Rule(
    code="column-renamed",
    title="Column renamed without an alias",
    severity=Severity.WARNING,
    why="Old and new application versions run side by side during a release. Whichever name the column has, one of "
    "them fails. The rollback has the same gap.",
    help="Keep the old name alive until no running version uses it: a view in the table's place, or a second column "
    "kept equal by a trigger.",
    judge=_judge,
    bad="ALTER TABLE orders RENAME COLUMN total TO total_amount;",
    good="ALTER TABLE orders ADD COLUMN total_amount numeric;",
)
