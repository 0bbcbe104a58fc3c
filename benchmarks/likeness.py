"""The replayed model against the catalogue of the server that ran the same history: what one of them lacks."""

import re
from collections.abc import Iterator
from typing import Any

from psycopg import Connection

from checks.model import Kind, Relation, Schema

_KINDS = {
    "r": Kind.TABLE,
    "p": Kind.PARTITIONED,
    "f": Kind.FOREIGN,
    "v": Kind.VIEW,
    "m": Kind.MATERIALIZED,
    "S": Kind.SEQUENCE,
    "c": Kind.COMPOSITE,
}
_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NOT_OF_EXTENSIONS = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
_RELATIONS = f"""
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = ANY('{{r,p,f,v,m,S,c}}') AND {_OURS} AND {_NOT_OF_EXTENSIONS}
"""  # noqa: S608
_COLUMNS = f"""
SELECT n.nspname, c.relname, a.attname, coalesce(e.typname, t.typname), t.typcategory = 'A',
       format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = ANY('{{r,p}}') AND {_OURS} AND {_NOT_OF_EXTENSIONS}
"""  # noqa: S608
_INDEXES = f"""
SELECT n.nspname, c.relname, i.relname, x.indisunique, x.indisvalid
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND {_NOT_OF_EXTENSIONS}
"""  # noqa: S608
_CONSTRAINTS = f"""
SELECT n.nspname, c.relname, k.conname, k.convalidated
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = ANY('{{c,f,p,u,x}}') AND {_OURS} AND {_NOT_OF_EXTENSIONS}
"""  # noqa: S608
_NUMBERS = re.compile(r"\(([0-9, ]+)\)")


def unlike(schema: Schema, session: Connection[Any]) -> tuple[int, list[str]]:
    """Return how many facts the server has of tables, columns, indexes and constraints, and each that differs."""
    modelled, real = set(_modelled(schema)), set(_real(session))
    lacking = [f"the model lacks {fact}" for fact in sorted(real - modelled)]
    return len(real), lacking + [f"the server lacks {fact}" for fact in sorted(modelled - real)]


def _modelled(schema: Schema) -> Iterator[str]:
    for relation in schema.relations.values():
        if relation.name.schema.startswith("pg_"):
            continue
        place = f"{relation.name.schema}.{relation.name.name}"
        yield f"{relation.kind} {place}"
        if relation.kind in {Kind.TABLE, Kind.PARTITIONED}:
            yield from _columns(relation, place)
        for index in relation.indexes.values():
            yield _index(place, index.name, is_unique=index.is_unique, is_valid=index.is_valid)
        for constraint in relation.constraints.values():
            if constraint.kind != "NOT NULL":
                yield _constraint(place, constraint.name, is_valid=constraint.is_valid)


def _columns(relation: Relation, place: str) -> Iterator[str]:
    for column in relation.columns.values():
        kind = column.type
        yield _column(
            place, column.name, kind.name, kind.modifiers, is_array=kind.is_array, can_null=column.is_nullable
        )


def _real(session: Connection[Any]) -> Iterator[str]:
    for schema, name, kind in session.execute(_RELATIONS):
        yield f"{_KINDS[kind]} {schema}.{name}"
    for schema, table, name, kind, is_array, written, not_null in session.execute(_COLUMNS):
        numbers = _NUMBERS.search(written)
        modifiers = tuple(int(one) for one in numbers[1].split(",")) if numbers else ()
        yield _column(f"{schema}.{table}", name, kind, modifiers, is_array=is_array, can_null=not not_null)
    for schema, table, name, is_unique, is_valid in session.execute(_INDEXES):
        yield _index(f"{schema}.{table}", name, is_unique=is_unique, is_valid=is_valid)
    for schema, table, name, is_valid in session.execute(_CONSTRAINTS):
        yield _constraint(f"{schema}.{table}", name, is_valid=is_valid)


def _column(table: str, name: str, kind: str, modifiers: tuple[int, ...], *, is_array: bool, can_null: bool) -> str:
    numbers = f"({','.join(map(str, modifiers))})" if modifiers else ""
    return f"column {table}.{name} {kind}{numbers}{'[]' * is_array}{'' if can_null else ' NOT NULL'}"


def _index(table: str, name: str, *, is_unique: bool, is_valid: bool) -> str:
    return f"{'unique ' * is_unique}index {name} on {table}{'' if is_valid else ', invalid'}"


def _constraint(table: str, name: str, *, is_valid: bool) -> str:
    return f"constraint {name} on {table}{'' if is_valid else ', not valid'}"
