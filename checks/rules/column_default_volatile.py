"""column-default-volatile: a new column whose default is computed for every row."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.DEFAULT):
        command = column.command
        value = column.default.sql() if column.default else "its default"
        if command.does(Work.REWRITE):
            message = f"Adding {column.sql_name} computes {value} for every row, which rewrites {command.sql_table}; "
        else:
            message = (
                f"If {value} can differ from row to row, which is not known here, adding {column.sql_name} rewrites "
                f"{command.sql_table}; "
            )
        yield Hit(command.statement, f"{message}{command.until}.", added_in_steps(column), command.offset)


RULE = Rule(
    code="column-default-volatile",
    title="Column added with a default that is computed for every row",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="A default that is the same for all rows is kept once, in the catalogue, and costs nothing. One that is "
    "volatile, such as gen_random_uuid(), clock_timestamp() or nextval(), has to be computed and stored for each row: "
    "the table and all its indexes are written anew.",
    blocks="Reads and writes of the table, as long as the rewrite takes.",
    help="Add the column without the default, then set the default: it holds for new rows only, and is instant. Fill "
    "the old rows in batches. A function that is not volatile should be declared so: unknown counts as volatile.",
    source="PostgreSQL manual, ALTER TABLE, Notes; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "INSERT INTO orders SELECT n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();",
    good="ALTER TABLE orders ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();",
)
