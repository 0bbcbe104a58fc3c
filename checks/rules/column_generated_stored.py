"""column-generated-stored: a new column that is computed from others, and stored."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.GENERATED):
        command = column.command
        yield Hit(
            command.statement,
            f"Adding {column.sql_name} computes and stores it for every row, which rewrites {command.sql_table}; "
            f"{command.until}.",
            added_in_steps(column),
            command.offset,
        )
    for command in context.commands:
        if command.kind == "AT_SetExpression" and command.may(Work.REWRITE):
            yield Hit(
                command.statement,
                f"The new expression of {command.sql_name} is computed for every row, which rewrites "
                f"{command.sql_table}; {command.until}.",
                offset=command.offset,
            )


RULE = Rule(
    code="column-generated-stored",
    title="Stored generated column added or changed",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="GENERATED … STORED keeps the result in the row. When the column is added, or its expression is changed, "
    "every row gets it at once: the table and all its indexes are written anew.",
    blocks="Reads and writes of the table, as long as the rewrite takes.",
    help="From PostgreSQL 18 on, use VIRTUAL: it is computed when it is read, and adding it is instant; it can have "
    "no index. Before, add an ordinary column, keep it with a trigger and fill the old rows in batches; or compute it "
    "in a view.",
    source="PostgreSQL manual, section 5.4 Generated Columns; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "INSERT INTO orders SELECT n, n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE orders ADD COLUMN cents bigint GENERATED ALWAYS AS (total * 100) STORED;",
    good="ALTER TABLE orders ADD COLUMN cents bigint;",
)
