"""column-of-constrained-domain: a new column whose type is a domain with a constraint."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.DOMAIN):
        command = column.command
        if command.does(Work.REWRITE):
            message = (
                f"{column.written_type} is a domain with a constraint: adding {column.sql_name} rewrites "
                f"{command.sql_table}, even if all its rows are null; {command.until}."
            )
        else:
            message = (
                f"What {column.written_type} is, is not known here. If it is a domain with a constraint, adding "
                f"{column.sql_name} rewrites {command.sql_table}; {command.until}."
            )
        yield Hit(command.statement, message, offset=command.offset)


RULE = Rule(
    code="column-of-constrained-domain",
    title="Column added whose type is a domain with a constraint",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="A domain may forbid what a new column holds, NULL included, so PostgreSQL 14 to 18 try it row by row, and "
    "write the table and its indexes anew while doing so. A domain without constraints costs nothing.",
    blocks="Reads and writes of the table, as long as the rewrite takes.",
    help="Give the column the base type of the domain, and the domain's condition as a CHECK of the table: NOT VALID "
    "first, validated in a later transaction.",
    source="measured on 14 to 18",
    judge=_judge,
    given="CREATE DOMAIN positive AS integer CHECK (VALUE > 0);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY);\n"
    "INSERT INTO orders SELECT n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE orders ADD COLUMN pieces positive;",
    good="ALTER TABLE orders ADD COLUMN pieces integer;\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_pieces_check CHECK (pieces > 0) NOT VALID;",
)
