"""primary-key-build: a PRIMARY KEY builds its index, and perhaps looks for nulls, while nobody can use the table."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import AddedConstraint, constraints_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.constraints import primary_key
from checks.recipes.files import in_files


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_PRIMARY"):
        command = added.command
        if added.tree.text("indexname") or not command.may(Work.BUILD):
            continue
        scans = " and looks for nulls in every row" if command.may(Work.SCAN) else ""
        yield Hit(
            command.statement,
            f"Adding {added.subject} builds an index over all of {command.sql_table}{scans}; {command.until}.",
            _rewrite(added) if added.can_use_index else "",
            command.offset,
        )


def _rewrite(added: AddedConstraint) -> str:
    return in_files(
        primary_key(
            added.command,
            added.columns,
            added.name,
            added.index_clauses,
            nullable=nullable(added, added.columns),
            attributes=added.attributes,
        )
    )


def nullable(added: AddedConstraint, columns: tuple[str, ...]) -> list[str]:
    """Return the columns that may hold null as far as is known: all of a table that is not known."""
    known = added.command.relation.columns if added.command.relation else {}
    return [one for one in columns if one not in known or known[one].is_nullable]


RULE = Rule(
    code="primary-key-build",
    title="PRIMARY KEY builds its index under an exclusive lock",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="ADD PRIMARY KEY builds its index while it holds ACCESS EXCLUSIVE. It also makes its columns NOT NULL, and "
    "looks at every row for that if they were not.",
    blocks="Reads and writes of the table, as long as the index build and the scan take.",
    help="Build the unique index CONCURRENTLY, make the columns NOT NULL by a constraint that is NOT VALID first, then "
    "add the key USING INDEX, which takes an instant.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint_using_index; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (id bigint, seen_at timestamptz);\nINSERT INTO events VALUES (1, now());",
    bad="ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (id);",
    good="CREATE UNIQUE INDEX CONCURRENTLY events_pkey ON events (id);",
)
