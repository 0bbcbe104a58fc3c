"""A recipe is a list of files, each one transaction unless its note says otherwise, and the names it may use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from checks.alterations.commands import Command
from checks.model import ConstraintKind
from checks.model.naming import constraint_name, joined, relation_name
from checks.names import quote

ALONE = "without a transaction"
REPEATED = "again and again until it changes no row"
BATCH_ROWS = 10_000


class File(NamedTuple):
    """The SQL of one file, and how it is to be run where that is not once and in one transaction."""

    sql: str
    note: str = ""


def in_files(files: Iterable[File]) -> str:
    """Return a recipe as text, each file below a line that numbers it."""
    marks = (
        (f"-- file {number}{', ' if note else ''}{note}", sql) for number, (sql, note) in enumerate(files, start=1)
    )
    return "\n".join(f"{mark}\n{sql}" for mark, sql in marks)


def new_constraint(command: Command, columns: Sequence[str], label: str) -> str:
    """Return the name, as SQL, that PostgreSQL would choose for a constraint of these columns: one that is free."""
    table = command.table
    return quote(constraint_name(command.before, table.schema, table.name, joined(columns), label))


def new_index(command: Command, columns: Sequence[str], label: str) -> str:
    """Return the name, as SQL, that PostgreSQL would choose for an index of these columns: one that is free."""
    table = command.table
    return quote(relation_name(command.before, table.schema, table.name, joined(columns), label, constraint=True))


def batch(command: Command, assignment: str, condition: str) -> File:
    """Return the file that changes some thousand rows of a command's table each time it runs.

    `assignment` and `condition` are SQL; a row that was changed must not meet the condition any more.
    """
    found = command.relation.constraints.values() if command.relation else ()
    primary = next((one.columns for one in found if one.kind is ConstraintKind.PRIMARY_KEY), ())
    keys = ", ".join(map(quote, primary)) or "ctid"
    keys_of_row = f"({keys})" if len(primary) > 1 else keys
    table = command.sql_table
    chosen = f"SELECT {keys} FROM {table} WHERE {condition} LIMIT {BATCH_ROWS}"  # noqa: S608 - for a person to read
    # Without the condition once more, ctid could mean other rows: of another partition, or moved meanwhile.
    again = "" if primary else f" AND {condition}"
    return File(f"UPDATE {table} SET {assignment} WHERE {keys_of_row} IN ({chosen}){again};", REPEATED)  # noqa: S608


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"
