"""exclusion-build: EXCLUDE builds its index while nobody can use the table, and knows no other way."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import constraints_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_EXCLUSION"):
        command = added.command
        if command.may(Work.BUILD):
            yield Hit(
                command.statement,
                f"Adding {added.subject} builds an index over all of {command.sql_table} and fails if two rows exclude "
                f"each other; {command.until}. It cannot be added NOT VALID, nor from an index.",
                offset=command.offset,
            )


RULE = Rule(
    code="exclusion-build",
    title="EXCLUDE builds its index under an exclusive lock",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="An exclusion constraint compares every row with the others while it builds its index under ACCESS EXCLUSIVE. "
    "It has no NOT VALID, and cannot take over an index that was built CONCURRENTLY.",
    blocks="Reads and writes of the table, as long as the index build takes.",
    help="On a small table, in a quiet window with a lock timeout. On a large one make a new table that has the "
    "constraint, copy the rows in batches while a trigger keeps them equal, and swap the names.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE bookings (room box, during tsrange);\n"
    "INSERT INTO bookings VALUES (NULL, '[2026-01-01,2026-01-02)');",
    bad="ALTER TABLE bookings ADD CONSTRAINT bookings_once EXCLUDE USING gist (during WITH &&);",
    good="CREATE TABLE bookings_new (room box, during tsrange, EXCLUDE USING gist (during WITH &&));",
)
