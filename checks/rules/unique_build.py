"""unique-build: UNIQUE builds its index while nobody can use the table."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import constraints_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.constraints import unique
from checks.recipes.files import in_files


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_UNIQUE"):
        command = added.command
        if command.may(Work.BUILD):
            steps = unique(command, added.columns, added.name, added.index_clauses, attributes=added.attributes)
            yield Hit(
                command.statement,
                f"Adding {added.subject} builds a unique index over all of {command.sql_table}, and fails if it finds "
                f"duplicates; {command.until}.",
                in_files(steps) if added.can_use_index else "",
                command.offset,
            )


RULE = Rule(
    code="unique-build",
    title="UNIQUE builds its index under an exclusive lock",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="ADD UNIQUE builds its index while it holds ACCESS EXCLUSIVE; CREATE UNIQUE INDEX would at least let reads go "
    "on, and CONCURRENTLY lets writes go on too. Duplicates end it at the very last.",
    blocks="Reads and writes of the table, as long as the index build takes.",
    help="Look for duplicates first. Build the unique index CONCURRENTLY, alone in its file; then add the constraint "
    "USING INDEX, which takes an instant. On a partitioned table that is not possible: give each partition its unique "
    "index CONCURRENTLY, the table one with ON ONLY, and attach them.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint_using_index; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE users (id bigint PRIMARY KEY, email text);\nINSERT INTO users VALUES (1, 'a@example.org');",
    bad="ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);",
    good="-- file 1, without a transaction\n"
    "CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);\n"
    "-- file 2\n"
    "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;",
)
