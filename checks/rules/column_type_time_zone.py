"""column-type-time-zone: between timestamp and timestamptz, it depends on the session what happens to the rows."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.type_changes import Trouble, TypeChange, type_changes
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for change in type_changes(context, Trouble.TIME_ZONE):
        command = change.command
        yield Hit(
            command.statement,
            f"Changing {change.words} reads every value as a time of the session's time zone, which is not known here "
            f"to be UTC. Unless it is, the table is rewritten; {command.until}.",
            _rewrite(change),
            command.offset,
        )


def _rewrite(change: TypeChange) -> str:
    command = change.command
    return (
        "-- only if the values without a time zone are UTC: then the stored bytes are the same\n"
        "SET LOCAL TimeZone = 'UTC';\n"
        f"ALTER TABLE {command.sql_table} ALTER COLUMN {command.sql_name} TYPE {change.new_sql};"
    )


RULE = Rule(
    code="column-type-time-zone",
    title="Changed between timestamp with and without time zone",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="The server converts each value with the time zone of the session that runs the migration: another session "
    "gives other data. Only when that is UTC the stored values are the same and nothing is rewritten.",
    blocks="Reads and writes of the table, as long as the rewrite takes; for an instant with UTC.",
    help="Find out in which time zone the values were written. If it is UTC, set it for the transaction. If not, say "
    "it in USING, with AT TIME ZONE: that rewrites, so use a second column and fill it in batches.",
    source="PostgreSQL manual, section 8.5.1.3 Time Stamps; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamp);\n"
    "INSERT INTO orders VALUES (1, '2026-01-01 12:00');",
    bad="SET LOCAL TimeZone = 'Europe/Berlin';\nALTER TABLE orders ALTER COLUMN placed_at TYPE timestamptz;",
    good="SET LOCAL TimeZone = 'UTC';\nALTER TABLE orders ALTER COLUMN placed_at TYPE timestamptz;",
)
