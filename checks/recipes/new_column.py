"""A column that is added in steps: empty first, then filled in batches, then with its constraints."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import AddedColumn, Cause, Inline
from checks.locks.volatility import Volatility, volatility_of
from checks.names import quote
from checks.recipes.constraints import not_null, not_valid_first, primary_key, unique
from checks.recipes.files import File, batch, in_files, literal, new_constraint, new_index
from checks.recipes.triggers import FillTrigger

VIRTUAL = 18  # PostgreSQL 18: a generated column that is computed when it is read


def added_in_steps(column: AddedColumn) -> str:
    """Return the SQL that adds a column without keeping others waiting, or "" where this cannot be told."""
    if column.cause is Cause.DOMAIN:
        return ""  # its rules belong to the domain, and a domain can only be had by a rewrite
    if column.cause is Cause.GENERATED:
        return in_files(_generated(column))
    files = [*(_numbered(column) if column.cause is Cause.NUMBERS else _filled(column)), *_constraints(column)]
    if "CONSTR_IDENTITY" in column.parts:
        files.extend(_identity(column))
    return in_files(files)


def _filled(column: AddedColumn) -> Iterator[File]:
    table, name, default = column.command.sql_table, column.sql_name, column.default
    adding = f"ALTER TABLE {table} ADD COLUMN {name} {column.type_sql}"
    if default is None:
        filling = (
            "\n-- then give it a value in every row, in batches: others read NULL until then" * column.forbids_null
        )
        yield File(f"{adding};{filling}")
    elif volatility_of(default, column.command.before) is Volatility.FIXED:
        yield File(f"{adding} DEFAULT {default.sql()};")
    else:
        yield File(f"{adding};\nALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default.sql()};")
        yield batch(column.command, f"{name} = {default.sql()}", f"{name} IS NULL")


def _numbered(column: AddedColumn) -> Iterator[File]:
    table, name, sequence = column.command.sql_table, column.sql_name, _sequence(column)
    value = f"nextval({literal(sequence)})"
    owned = f"\nALTER SEQUENCE {sequence} OWNED BY {table}.{name};" if column.is_serial else ""
    yield File(
        f"CREATE SEQUENCE {sequence} AS {column.type_sql};\n"
        f"ALTER TABLE {table} ADD COLUMN {name} {column.type_sql};\n"
        f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {value};{owned}"
    )
    yield batch(column.command, f"{name} = {value}", f"{name} IS NULL")
    if "CONSTR_PRIMARY" not in column.parts:
        yield from not_null(column.command, column.name)


def _sequence(column: AddedColumn) -> str:
    """Return the sequence of a column: the one it keeps, or the one that only fills it before it is an identity."""
    label = "seq" if column.is_serial else "fill"
    name = new_index(column.command, [column.name], label)
    schema = column.command.table.schema
    return name if "." not in column.command.sql_table else f"{quote(schema)}.{name}"


def _identity(column: AddedColumn) -> Iterator[File]:
    table, name, sequence = column.command.sql_table, column.sql_name, _sequence(column)
    owned = f"pg_get_serial_sequence({literal(table)}, {literal(column.name)})"
    yield File(
        f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT;\n"
        f"ALTER TABLE {table} ALTER COLUMN {name} ADD {column.parts['CONSTR_IDENTITY'].sql};\n"
        f"SELECT setval({owned}, nextval({literal(sequence)}));"
    )
    yield File(f"DROP SEQUENCE {sequence};")


def _constraints(column: AddedColumn) -> Iterator[File]:
    command, name, parts = column.command, column.name, column.parts
    if (primary := parts.get("CONSTR_PRIMARY")) is not None:
        yield from primary_key(command, [name], primary.name, nullable=[name], attributes=primary.attributes)
    elif column.forbids_null and column.cause is not Cause.NUMBERS:
        yield from not_null(command, name)
    if (single := parts.get("CONSTR_UNIQUE")) is not None:
        clauses = "NULLS NOT DISTINCT" if single.tree.flag("nulls_not_distinct") else ""
        yield from unique(command, [name], single.name, clauses, attributes=single.attributes)
    for kind, part in parts.items():
        if kind.startswith("CONSTR_CHECK"):
            yield from not_valid_first(
                command.sql_table, part.name or new_constraint(command, [name], "check"), part.sql
            )
        elif kind.startswith("CONSTR_FOREIGN"):
            yield from _reference(column, part)


def _reference(column: AddedColumn, part: Inline) -> Iterator[File]:
    name = part.name or new_constraint(column.command, [column.name], "fkey")
    return not_valid_first(column.command.sql_table, name, f"FOREIGN KEY ({column.sql_name}) {part.sql}")


def _generated(column: AddedColumn) -> Iterator[File]:
    command, table, name = column.command, column.command.sql_table, column.sql_name
    if command.version >= VIRTUAL:
        virtual = f"GENERATED ALWAYS AS ({column.generated}) VIRTUAL"
        yield File(f"ALTER TABLE {table} ADD COLUMN {name} {column.type_sql} {virtual};")
        return
    trigger = FillTrigger(command, column.name).made(column.generated)
    yield File(f"ALTER TABLE {table} ADD COLUMN {name} {column.type_sql};\n{trigger}")
    yield batch(command, f"{name} = {column.generated}", f"{name} IS NULL AND ({column.generated}) IS NOT NULL")
    yield from _constraints(column)
