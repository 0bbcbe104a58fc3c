"""serial-not-identity: a column of type serial, where the standard has identity columns."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        if column.is_serial:
            yield Hit(
                column.seen.statement,
                f"{column.name} of {column.table} takes its numbers from a sequence with rights of its own, which a "
                "GRANT on the table does not reach.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="serial-not-identity",
    title="serial instead of an identity column",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="serial is a shorthand for a default and a sequence. Roles need USAGE on the sequence to insert, copies of the "
    "table share it, and the default can be changed by mistake.",
    blocks="Nothing now.",
    help="Use bigint GENERATED ALWAYS AS IDENTITY in new tables.",
    source="PostgreSQL manual, section 8.1.4 Serial Types and section 5.3 Identity Columns",
    judge=_judge,
    bad="CREATE TABLE orders (id bigserial PRIMARY KEY);",
    good="CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    is_style=True,
)
