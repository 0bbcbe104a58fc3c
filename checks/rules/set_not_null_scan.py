"""set-not-null-scan: NOT NULL on a column that is there reads the whole table, unless something proves it before."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import Command
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.model import ConstraintKind
from checks.names import quote
from checks.recipes.constraints import NAMED_NOT_NULL, not_null, not_valid_first
from checks.recipes.files import File, in_files


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        column = _column(command)
        if column and command.may(Work.SCAN):
            yield Hit(
                command.statement,
                f"NOT NULL on {quote(column)} reads every row of {command.sql_table}; {command.until}.",
                _rewrite(command, column),
                command.offset,
            )


def _column(command: Command) -> str:
    """Return the column that a command makes NOT NULL, or ""."""
    if command.kind == "AT_SetNotNull":
        return command.name
    made = command.definition if command.kind == "AT_AddConstraint" else None
    if made is None or made.enum("contype") != "CONSTR_NOTNULL":
        return ""
    return made.each("keys")[0].text("sval")


def _rewrite(command: Command, column: str) -> str:
    table = command.sql_table
    known = command.relation.constraints.values() if command.relation else ()
    waiting = [one for one in known if not one.is_valid and one.is_enforced and one.columns == (column,)]
    named = command.definition.text("conname") if command.definition else ""
    if proof := next((one for one in waiting if one.kind is ConstraintKind.CHECK and column in one.not_null), None):
        return in_files(
            (
                File(f"ALTER TABLE {table} VALIDATE CONSTRAINT {quote(proof.name)};"),
                File(f"ALTER TABLE {table} ALTER COLUMN {quote(column)} SET NOT NULL;"),
            )
        )
    if proof := next((one for one in waiting if one.kind is ConstraintKind.NOT_NULL), None):
        return f"ALTER TABLE {table} VALIDATE CONSTRAINT {quote(proof.name)};"
    if named and command.version >= NAMED_NOT_NULL:
        return in_files(not_valid_first(table, quote(named), f"NOT NULL {quote(column)}"))
    return in_files(not_null(command, column))


RULE = Rule(
    code="set-not-null-scan",
    title="NOT NULL reads the whole table under an exclusive lock",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="PostgreSQL must see that no row is null, and looks at all of them under an ACCESS EXCLUSIVE lock. It skips "
    "the scan when a valid CHECK (column IS NOT NULL) says so already.",
    blocks="Reads and writes of the table, as long as the scan takes.",
    help="Add the CHECK as NOT VALID, validate it in a later transaction, then SET NOT NULL and drop the CHECK. From "
    "PostgreSQL 18 on, NOT NULL itself can be added as NOT VALID and validated.",
    source="PostgreSQL manual, ALTER TABLE, SET NOT NULL and ADD table_constraint; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\nINSERT INTO orders VALUES (1, 10);",
    bad="ALTER TABLE orders ALTER COLUMN total SET NOT NULL;",
    good="-- file 1\n"
    "ALTER TABLE orders ADD CONSTRAINT total_not_null CHECK (total IS NOT NULL) NOT VALID;\n"
    "-- file 2\n"
    "ALTER TABLE orders VALIDATE CONSTRAINT total_not_null;\n"
    "-- file 3\n"
    "ALTER TABLE orders ALTER COLUMN total SET NOT NULL;\n"
    "ALTER TABLE orders DROP CONSTRAINT total_not_null;",
)
