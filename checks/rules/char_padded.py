"""char-padded: a column of type char(n)."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        if column.type.is_built_in and column.type.name == "bpchar" and not column.type.is_array:
            yield Hit(
                column.seen.statement,
                f"{column.name} of {column.table} is filled up with spaces to its length, and changing that later "
                "rewrites the table.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="char-padded",
    title="Column of type char(n)",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="Shorter values are filled up with spaces, which takes room and surprises in comparisons. It is not faster "
    "than text, and every change of the length or to text rewrites the table.",
    blocks="Nothing now.",
    help="Use text, with a CHECK where a length matters.",
    source="PostgreSQL manual, section 8.3 Character Types; rewrites measured on 14 to 18",
    judge=_judge,
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, currency char(3));",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, currency text CHECK (length(currency) = 3));",
    is_style=True,
)
