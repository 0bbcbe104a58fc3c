"""varchar-limited: a column of type varchar with a length."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        if column.type.is_built_in and column.type.name == "varchar" and column.type.modifiers:
            yield Hit(
                column.seen.statement,
                f"{column.name} of {column.table} can get longer later at no cost, but making it shorter rewrites the "
                "table.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="varchar-limited",
    title="Column of type varchar(n)",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="varchar(n) is stored like text. Widening it changes the catalogue only; narrowing it rewrites the table, and "
    "as an array even widening does.",
    blocks="Nothing now.",
    help="Use text. Where a length matters, a CHECK can be changed without a rewrite: NOT VALID first, then validated.",
    source="PostgreSQL manual, section 8.3 Character Types; rewrites measured on 14 to 18",
    judge=_judge,
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(200));",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    is_style=True,
)
