"""timestamp-without-time-zone: a moment that is stored without saying where its clock stands."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.column_definitions import column_definitions
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for column in column_definitions(context):
        if column.type.is_built_in and column.type.name == "timestamp":
            yield Hit(
                column.seen.statement,
                f"{column.name} of {column.table} keeps a time but not of which place: sessions in other time zones "
                "write and read different moments.",
                offset=column.tree.offset,
            )


RULE = Rule(
    code="timestamp-without-time-zone",
    title="Column of type timestamp without time zone",
    severity=Severity.NOTE,
    group=Group.COLUMNS,
    why="timestamptz stores a moment, timestamp what a clock on some wall shows. Changing it later rewrites the table "
    "unless the session's time zone is UTC.",
    blocks="Nothing now.",
    help="Use timestamptz for moments.",
    source="PostgreSQL manual, section 8.5 Date/Time Types; rewrites measured on 14 to 18",
    judge=_judge,
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamp);",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamptz);",
    is_style=True,
)
