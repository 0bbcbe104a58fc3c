"""key-small-integer: a primary key that ends at two thousand million, or at 32,767."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity

_LAST = {"int2": "32,767", "int4": "2,147,483,647"}


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        last = _LAST.get(column.type.name) if column.type.is_built_in and not column.type.is_array else None
        if last and column.is_key:
            yield Hit(
                column.seen.statement,
                f"After {last}, no row can be added to {column.table} by {column.name}; widening it then rewrites the "
                "table and locks all that refer to it.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="key-small-integer",
    title="Primary key of type integer or smallint",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="Numbers are also used up by rows that were deleted and by transactions that failed. When they run out, "
    "inserts fail, and changing the type of a key is the most expensive change there is.",
    blocks="Nothing now.",
    help="Use bigint for keys, and for the columns that refer to them.",
    source="PostgreSQL manual, section 8.1 Numeric Types; the cost of widening measured on 14 to 18",
    judge=_judge,
    bad="CREATE TABLE orders (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    good="CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);",
    is_style=True,
)
