"""json-not-jsonb: a column of type json, which cannot be compared."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        if column.type.is_built_in and column.type.name == "json":
            yield Hit(
                column.seen.statement,
                f"json has no equality: SELECT DISTINCT, GROUP BY and UNION over {column.name} of {column.table} fail, "
                "also in queries that are there and take every column.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="json-not-jsonb",
    title="Column of type json",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="json keeps the text as it came. It has no equality operator and no index of its own kind, and it is parsed "
    "again for each access.",
    blocks="Nothing now. Queries that compare whole rows fail.",
    help="Use jsonb, unless the exact text with its spaces and doubled keys has to be kept.",
    source="PostgreSQL manual, section 8.14 JSON Types",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders ADD COLUMN details json;",
    good="ALTER TABLE orders ADD COLUMN details jsonb;",
    is_style=True,
)
