"""column-not-null-without-default: a new column that old rows and running code leave empty, and that may not be."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.NOT_NULL):
        command = column.command
        size = command.relation.size if command.relation else None
        if size is not None and size.rows:
            message = f"This fails: {command.sql_table} has rows, and {column.sql_name} would be null in them."
        else:
            message = (
                f"This fails if {command.sql_table} has a single row: {column.sql_name} would be null in it. If not, "
                f"running code that inserts rows without {column.sql_name} fails from then on."
            )
        yield Hit(command.statement, message, added_in_steps(column), command.offset)


RULE = Rule(
    code="column-not-null-without-default",
    title="NOT NULL column added without a default",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="The rows that are there get NULL in a new column, and NOT NULL or PRIMARY KEY forbids it. On an empty table "
    "it works, but versions of the application that do not know the column can insert nothing any more.",
    blocks="Reads and writes of the table while it is read up to its first row, then it fails. On an empty table it is "
    "done at once; on one whose rows were deleted and not yet vacuumed, it reads all of it first.",
    help="If one value is right for all old rows, give it as a constant default: that is instant. Otherwise add the "
    "column without NOT NULL, let new code write it, fill the old rows in batches, then require it.",
    source="PostgreSQL manual, section 5.7.1 Adding a Column; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);",
    bad="ALTER TABLE orders ADD COLUMN status text NOT NULL;",
    good="ALTER TABLE orders ADD COLUMN status text NOT NULL DEFAULT 'open';",
)
