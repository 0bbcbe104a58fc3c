"""column-added-with-index: a new column with UNIQUE or PRIMARY KEY inside."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.INDEX):
        command = column.command
        kind = "PRIMARY KEY" if "CONSTR_PRIMARY" in column.parts else "UNIQUE"
        yield Hit(
            command.statement,
            f"Adding {column.sql_name} as {kind} builds an index over all of {command.sql_table}; {command.until}.",
            added_in_steps(column),
            command.offset,
        )


RULE = Rule(
    code="column-added-with-index",
    title="Column added as UNIQUE or PRIMARY KEY",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="Adding the column is instant, but the constraint inside it builds an index over every row, although all of "
    "them hold NULL or the same default, and does so under the ACCESS EXCLUSIVE lock.",
    blocks="Reads and writes of the table, as long as the index build takes.",
    help="Add the column alone. Build the unique index CONCURRENTLY, then add the constraint USING INDEX.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint_using_index; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE users (id bigint PRIMARY KEY, email text);\n"
    "INSERT INTO users SELECT n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE users ADD COLUMN phone text UNIQUE;",
    good="ALTER TABLE users ADD COLUMN phone text;",
)
