"""A recipe is a list of files, each one transaction unless its note says otherwise, and the names it may use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from checks.alterations.commands import Command
from checks.batching.keys import directive, keys_of
from checks.model.naming import constraint_name, joined, relation_name
from checks.names import quote

ALONE = "without a transaction"
BATCHED = "in batches"
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


_MARK = re.compile(r"^-- file \d+(?:, (?P<note>.*))?\n", re.MULTILINE)


def files_in(recipe: str) -> tuple[File, ...]:
    """Return the files of a recipe, as `in_files` wrote them; a suggestion without such lines is one file."""
    marks = list(_MARK.finditer(recipe))
    if not marks or marks[0].start() > 0:
        return (File(recipe),)
    ends = [*(one.start() for one in marks[1:]), len(recipe)]
    return tuple(
        File(recipe[mark.end() : end].rstrip("\n"), mark["note"] or "") for mark, end in zip(marks, ends, strict=True)
    )


def new_constraint(command: Command, columns: Sequence[str], label: str) -> str:
    """Return the name, as SQL, that PostgreSQL would choose for a constraint of these columns: one that is free."""
    table = command.table
    return quote(constraint_name(command.before, table.schema, table.name, joined(columns), label))


def new_index(command: Command, columns: Sequence[str], label: str) -> str:
    """Return the name, as SQL, that PostgreSQL would choose for an index of these columns: one that is free."""
    table = command.table
    return quote(relation_name(command.before, table.schema, table.name, joined(columns), label, constraint=True))


def batch(command: Command, assignment: str, condition: str) -> File:
    """Return the file that changes the rows of a command's table batch by batch.

    `assignment` and `condition` are SQL; a row that was changed must not meet the condition any more. A table without a
    key to go by is changed by a statement that is run again and again.
    """
    if command.relation is not None and (usable := keys_of(command.relation)):
        comment = directive(command.sql_table, usable[0])
        return File(f"{comment}\nUPDATE {command.sql_table} SET {assignment} WHERE {condition};", BATCHED)
    table = command.sql_table
    chosen = f"SELECT ctid FROM {table} WHERE {condition} LIMIT {BATCH_ROWS}"  # noqa: S608 - for a person to read
    # Without the condition once more, ctid could mean other rows: of another partition, or moved meanwhile.
    return File(f"UPDATE {table} SET {assignment} WHERE ctid IN ({chosen}) AND {condition};", REPEATED)  # noqa: S608


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"
