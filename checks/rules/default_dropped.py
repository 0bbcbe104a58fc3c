"""default-dropped: a column that may not be null loses the value that rows get when nothing is said."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import Command
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        if command.kind != "AT_ColumnDefault" or command.definition is not None or _has_value(context, command):
            continue
        column = command.column
        if column is not None and (column.is_nullable or column.default is None):
            continue
        condition = "" if column is not None else f"If {command.sql_name} is NOT NULL, "
        yield Hit(
            command.statement,
            f"{condition}INSERTs into {command.sql_table} that do not give {command.sql_name} fail from then on.",
            offset=command.offset,
        )


def _has_value(context: Context, command: Command) -> bool:
    """True when the column is gone, may be null or has another source of values at the end of the script."""
    after = context.after.relations.get(command.table)
    if after is None:
        return False
    column = after.columns.get(command.name)
    return column is None or column.default is not None or column.is_identity or column.is_nullable


RULE = Rule(
    code="default-dropped",
    title="Default of a NOT NULL column dropped",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="Only the catalogue changes, at once. But running versions of the application may leave the column out, "
    "because it had a default when they were written. Migrations that frameworks write drop the default right after "
    "adding the column, before the new version runs.",
    blocks="Reads and writes of the table, for an instant once the lock is had. What breaks is the code.",
    help="Keep the default until every running version gives the column itself, then drop it.",
    source="PostgreSQL manual, ALTER TABLE, SET and DROP DEFAULT; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'open');",
    bad="ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;",
    good="ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'new';",
)
