"""column-dropped: a column and its data go, perhaps while code still reads it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import Command, either
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import ConstraintKind, Kind, Relation
from checks.names import quote
from checks.recipes.files import ALONE, File, in_files
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        if command.kind == "AT_DropColumn" and not (command.relation and command.column is None):
            with_it = _gone_with(command.relation, command.name) if command.relation else []
            also = f", with {' and '.join(with_it)}" if with_it else ""
            waits = _waits(command)
            yield Hit(
                command.statement,
                f"The data of {command.sql_name} in {command.sql_table} is gone for good{also}. Code that still names "
                f"the column fails.{waits}",
                _rewrite(command),
                offset=command.offset,
            )


def _waits(command: Command) -> str:
    """Return sentences about the other relations that are locked, each with what joins it to the column."""
    felt = [lock.relation for lock in command.peers if lock.mode.blocks_reads]
    known = command.before.relations
    views = [name for name in felt if name in known and known[name].kind in {Kind.VIEW, Kind.MATERIALIZED}]
    tables = [str(name) for name in felt if name not in views]
    told = f" For its foreign key, nobody can read or write {either(tables)} for a moment, either." if tables else ""
    gone = [f"{known[name].kind} {name}" for name in views]
    return told + (f" Reading the column, {listed(gone)} would go with it." if gone else "")


def _gone_with(table: Relation, column: str) -> list[str]:
    """Return the indexes and constraints that go with a column, in words."""
    carried = {one.index for one in table.constraints.values()}
    indexes = [
        f"index {quote(name)}" for name, one in table.indexes.items() if column in one.uses and name not in carried
    ]
    kinds = {ConstraintKind.CHECK, ConstraintKind.FOREIGN_KEY, ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY,
             ConstraintKind.EXCLUSION}  # fmt: skip
    return indexes + [
        f"constraint {quote(name)}"
        for name, one in table.constraints.items()
        if column in one.columns and one.kind in kinds
    ]


def _rewrite(command: Command) -> str:
    """Return what can be done before: code that does not know the column must be able to write rows."""
    table, column = command.relation, command.column
    if table is None or column is None:
        return ""
    carried = {one.index for one in table.constraints.values()}
    schema = f"{quote(table.name.schema)}." if "." in command.sql_table else ""
    files = [
        File(f"DROP INDEX CONCURRENTLY {schema}{quote(name)};", ALONE)
        for name, one in table.indexes.items()
        if command.name in one.uses and name not in carried and one.parent is None and not table.partition_key
    ]
    primary = {
        key for one in table.constraints.values() if one.kind is ConstraintKind.PRIMARY_KEY for key in one.columns
    }
    if not column.is_nullable and column.default is None and command.name not in primary:
        files.append(File(f"ALTER TABLE {command.sql_table} ALTER COLUMN {command.sql_name} DROP NOT NULL;"))
    later = f"\n-- when no running version names it: ALTER TABLE {command.sql_table} DROP COLUMN {command.sql_name};"
    return in_files(files) + later if files else ""


RULE = Rule(
    code="column-dropped",
    title="Column dropped",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="The rollback script can add the column again, but not its data, nor at once the indexes and constraints that "
    "went with it. Application versions that still run, and every SELECT * that was prepared before, fail at once.",
    blocks="Reads and writes of the table, and of the tables joined to it by a foreign key of the column, for an "
    "instant once the locks are had.",
    help="First release code that does not use the column: NOT NULL must go before, so that it can insert rows, and "
    "indexes can go before with DROP INDEX CONCURRENTLY. Then drop the column in a migration of its own, with a "
    "verified backup.",
    source="PostgreSQL manual, ALTER TABLE, DROP COLUMN; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text NOT NULL);\n"
    "CREATE INDEX orders_note_idx ON orders (note);",
    bad="ALTER TABLE orders DROP COLUMN note;",
    good="ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;",
)
