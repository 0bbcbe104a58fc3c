"""table-renamed: code that runs while the migration is applied still uses the old name."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import sibling
from checks.rules._seen import is_new, is_there_at_the_end, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "RenameStmt"):
        for change in seen.statement.changes:
            if change.verb is not Verb.RENAME_TABLE or is_new(seen, change.table):
                continue
            # A view in its place, or another table that was made ready: the name never stops working.
            if is_there_at_the_end(context, seen, change.table):
                continue
            kind = seen.statement.kind.removeprefix("ALTER ").removesuffix(" RENAME").lower()
            yield Hit(
                seen.statement,
                f"From the commit on, running code that names {kind} {change.table} fails.",
                _rewrite(change) if kind == "table" else "",
            )


def _rewrite(change: Change) -> str:
    moved = sibling(change.table, change.detail)
    view = f"CREATE VIEW {change.table} AS SELECT * FROM {moved};"  # noqa: S608 - for a person to read
    return (
        f"-- in one transaction: the old name stays, as a view that can be written to; grant on it what was granted\n"
        f"ALTER TABLE {change.table} RENAME TO {change.detail};\n{view}"
    )


RULE = Rule(
    code="table-renamed",
    title="Table renamed without an alias",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="Old and new application versions run side by side during a release. Whichever name the table has, one of "
    "them fails. The rollback has the same gap.",
    blocks="Reads and writes of the table, for a moment. Then every query with the old name fails.",
    help="Leave a view with the old name in its place, in the same transaction, until no running version uses it. A "
    "simple view can be read and written.",
    source="PostgreSQL manual, CREATE VIEW: Updatable Views",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders RENAME TO purchases;",
    good="ALTER TABLE orders RENAME TO purchases;\nCREATE VIEW orders AS SELECT * FROM purchases;",
)
