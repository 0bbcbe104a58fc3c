"""column-added-with-check: a new column with a CHECK inside."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.CHECK):
        command = column.command
        yield Hit(
            command.statement,
            f"The CHECK of {column.sql_name} is tried on every row of {command.sql_table}, although all hold the same; "
            f"{command.until}.",
            added_in_steps(column),
            command.offset,
        )


RULE = Rule(
    code="column-added-with-check",
    title="Column added with a CHECK",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="Adding the column is instant, but a CHECK inside it reads the whole table to try every row, although all of "
    "them hold NULL or the same default, and does so under the ACCESS EXCLUSIVE lock.",
    blocks="Reads and writes of the table, as long as the scan takes.",
    help="Add the column alone, then the CHECK as NOT VALID, then validate it in a later transaction.",
    source="PostgreSQL manual, ALTER TABLE, Notes; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "INSERT INTO orders SELECT n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE orders ADD COLUMN discount numeric CHECK (discount >= 0);",
    good="ALTER TABLE orders ADD COLUMN discount numeric;\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_discount_check CHECK (discount >= 0) NOT VALID;",
)
