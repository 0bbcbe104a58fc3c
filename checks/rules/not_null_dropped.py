"""not-null-dropped: a column that could be relied on can be null from now on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        if command.kind != "AT_DropNotNull" or (command.column is not None and command.column.is_nullable):
            continue
        after = context.after.relations.get(command.table)
        if after is not None and command.name not in after.columns:
            continue  # dropped or renamed in the same script: what it was is of no more use to anybody
        yield Hit(
            command.statement,
            f"This takes an instant. From then on {command.sql_name} of {command.sql_table} can be null: code that "
            "reads it must expect that, and the rollback fails once a row is.",
            offset=command.offset,
        )


RULE = Rule(
    code="not-null-dropped",
    title="NOT NULL dropped",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="Only the catalogue changes. But code that was written when the column always had a value may not expect NULL, "
    "and after the first one NOT NULL cannot be put back without deciding what stands there.",
    blocks="Reads and writes of the table, for an instant once the lock is had.",
    help="Release code that can read NULL before code that writes it. Let the rollback script fill the nulls first.",
    source="PostgreSQL manual, ALTER TABLE, DROP NOT NULL; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text NOT NULL);",
    bad="ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;",
    good="ALTER TABLE orders ALTER COLUMN note SET DEFAULT '';",
)
