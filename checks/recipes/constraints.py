"""Constraints in steps: what needs a strong lock takes no time, and what takes time needs no strong lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checks.alterations.commands import Command
from checks.names import quote
from checks.recipes.files import ALONE, File, new_constraint, new_index

NAMED_NOT_NULL = 18  # PostgreSQL 18: NOT NULL is a constraint with a name, and can be NOT VALID


def not_valid_first(table: str, name: str, definition: str) -> Iterator[File]:
    """Yield the files that add a CHECK or a foreign key, given without its name, and validate it."""
    yield File(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID;")
    yield File(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name};")


def not_null(command: Command, *columns: str) -> Iterator[File]:
    """Yield the files that make columns of a command's table NOT NULL without a scan that others wait for."""
    table = command.sql_table
    if command.version >= NAMED_NOT_NULL:
        names = {column: new_constraint(command, [column], "not_null") for column in columns}
        added = (f"ADD CONSTRAINT {names[one]} NOT NULL {quote(one)} NOT VALID" for one in columns)
        yield File(f"ALTER TABLE {table} {', '.join(added)};")
        yield File("\n".join(f"ALTER TABLE {table} VALIDATE CONSTRAINT {names[one]};" for one in columns))
        return
    names = {column: new_constraint(command, [column], "not_null") for column in columns}
    added = (f"ADD CONSTRAINT {names[one]} CHECK ({quote(one)} IS NOT NULL) NOT VALID" for one in columns)
    yield File(f"ALTER TABLE {table} {', '.join(added)};")
    yield File("\n".join(f"ALTER TABLE {table} VALIDATE CONSTRAINT {names[one]};" for one in columns))
    required = ", ".join(f"ALTER COLUMN {quote(one)} SET NOT NULL" for one in columns)
    dropped = ", ".join(f"DROP CONSTRAINT {names[one]}" for one in columns)
    yield File(f"ALTER TABLE {table} {required};\nALTER TABLE {table} {dropped};")


def unique(
    command: Command, columns: Sequence[str], name: str, clauses: str = "", *, attributes: Sequence[str] = ()
) -> Iterator[File]:
    """Yield the files that add UNIQUE on columns, by an index built before. `name` is SQL, or "" for one of our own.

    `clauses` are those of the index, INCLUDE and NULLS NOT DISTINCT; `attributes` those of the constraint, DEFERRABLE.
    """
    name = name or new_index(command, columns, "key")
    yield _unique_index(command, columns, name, clauses)
    yield _from_index(command, name, "UNIQUE", attributes)


def primary_key(
    command: Command,
    columns: Sequence[str],
    name: str,
    clauses: str = "",
    *,
    nullable: Sequence[str],
    attributes: Sequence[str] = (),
) -> Iterator[File]:
    """Yield the files that add a PRIMARY KEY on columns, of which some are `nullable` and are made NOT NULL before."""
    name = name or new_index(command, (), "pkey")
    yield _unique_index(command, columns, name, clauses)
    if nullable:
        yield from not_null(command, *nullable)
    yield _from_index(command, name, "PRIMARY KEY", attributes)


def _from_index(command: Command, name: str, kind: str, attributes: Sequence[str]) -> File:
    words = " ".join((f"{kind} USING INDEX {name}", *attributes))
    return File(f"ALTER TABLE {command.sql_table} ADD CONSTRAINT {name} {words};")


def _unique_index(command: Command, columns: Sequence[str], name: str, clauses: str) -> File:
    keys = ", ".join(map(quote, columns))
    tail = f" {clauses}" if clauses else ""
    return File(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {command.sql_table} ({keys}){tail};", ALONE)
