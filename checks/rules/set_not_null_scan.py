"""set-not-null-scan: SET NOT NULL reads the whole table unless a valid CHECK already proves it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    checks: dict[tuple[str, str], str] = {}  # (table, constraint) -> the expression it checks
    proven: set[tuple[str, str]] = set()  # (table, expression)
    for statement in script.statements:
        for change in statement.changes:
            key = (change.table, change.name)
            if change.constraint == "PRIMARY KEY" and change.from_index and not statement.is_new(change.table):
                yield Hit(
                    statement,
                    f"PRIMARY KEY makes the columns of its index NOT NULL. Unless they are so already, this reads all "
                    f"of {change.table} while nobody can read or write it.",
                    offset=change.offset,
                )
            if change.constraint == "CHECK":
                checks[key] = change.detail
                if change.verb is Verb.ADD_CONSTRAINT:
                    proven.add((change.table, change.detail))
            elif change.verb is Verb.VALIDATE_CONSTRAINT and key in checks:
                proven.add((change.table, checks[key]))
            elif change.verb is Verb.DROP_CONSTRAINT and key in checks:
                proven.discard((change.table, checks[key]))
            elif change.verb is Verb.SET_NOT_NULL and not statement.is_new(change.table):
                if (change.table, f"{change.name} IS NOT NULL") in proven:
                    continue
                yield Hit(
                    statement,
                    f"SET NOT NULL on {change.name} reads all of {change.table} while nobody can read or write it.",
                    _rewrite(change),
                )


def _rewrite(change: Change) -> str:
    table, column = change.table, change.name
    check = derived(column, "not_null")
    return (
        f"-- file 1\nALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID;\n"
        f"-- file 2\nALTER TABLE {table} VALIDATE CONSTRAINT {check};\n"
        f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n"
        f"ALTER TABLE {table} DROP CONSTRAINT {check};"
    )


RULE = Rule(
    code="set-not-null-scan",
    title="SET NOT NULL scans the table under an exclusive lock",
    severity=Severity.WARNING,
    why="PostgreSQL must see that no row is null, and looks at all of them under an ACCESS EXCLUSIVE lock. From "
    "version 12 on it skips the scan when a valid CHECK (column IS NOT NULL) says so already.",
    help="Add the CHECK as NOT VALID, validate it, then SET NOT NULL and drop the CHECK.",
    judge=_judge,
    bad="ALTER TABLE orders ALTER COLUMN total SET NOT NULL;",
    good="ALTER TABLE orders ADD CONSTRAINT total_not_null CHECK (total IS NOT NULL) NOT VALID;\n"
    "ALTER TABLE orders VALIDATE CONSTRAINT total_not_null;\n"
    "ALTER TABLE orders ALTER COLUMN total SET NOT NULL;\n"
    "ALTER TABLE orders DROP CONSTRAINT total_not_null;",
)
