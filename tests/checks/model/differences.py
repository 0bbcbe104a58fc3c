"""What differs between a schema that was replayed and the one that was read from a server."""

from collections.abc import Iterator, Mapping
from typing import Any

from checks.model import Column, Constraint, DataType, Function, Index, Kind, Relation, Schema, UserType


def differences(replayed: Schema, read: Schema) -> list[str]:
    """Return every fact in which the two schemas differ, as `what: replayed != read`."""
    return [
        *_of("relation", _facts(replayed.relations, _relation), _facts(read.relations, _relation)),
        *_of("type", _facts(_made(replayed), _type), _facts(_made(read), _type)),
        *_of("function", _facts(_own(replayed), _overloads), _facts(_own(read), _overloads)),
        *_of("schemas", {"": replayed.schemas}, {"": read.schemas}),
        *_of("extensions", {"": replayed.extensions | {"plpgsql"}}, {"": read.extensions}),
    ]


def _facts(values: Mapping[Any, Any], facts: Any) -> dict[str, Any]:
    return {str(name): facts(value) for name, value in values.items() if getattr(name, "schema", "") != "pg_temp"}


def _made(schema: Schema) -> dict[Any, UserType]:
    return {name: one for name, one in schema.types.items() if one.kind != "base"}


def _own(schema: Schema) -> dict[Any, tuple[Function, ...]]:
    """Return functions without those that came with an extension or a range: in C, or for a type in C."""
    bases = {(one.name.schema, one.name.name) for one in schema.types.values() if one.kind == "base"}
    found = {
        name: tuple(
            one
            for one in overloads
            if one.language not in {"c", "internal"} and not bases & {(kind.schema, kind.name) for kind in one.types}
        )
        for name, overloads in schema.functions.items()
    }
    return {name: one for name, one in found.items() if one}


def _of(what: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for name in [*mine, *(one for one in theirs if one not in mine)]:
        one, other = mine.get(name, "absent"), theirs.get(name, "absent")
        if one == other or is_untold(one):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _of(f"{what} {name}", one, other)
        else:
            yield f"{what} {name}: {one} != {other}"


def is_untold(fact: object) -> bool:
    """True for the type of a column of which a query does not say the type."""
    return isinstance(fact, DataType) and not fact.name


def _relation(relation: Relation) -> dict[str, Any]:
    is_view = relation.kind in {Kind.VIEW, Kind.MATERIALIZED}
    return {
        "kind": relation.kind,
        "columns": {name: _column(one, is_view=is_view) for name, one in relation.columns.items()},
        "order": list(relation.columns),
        "constraints": {name: _constraint(one) for name, one in relation.constraints.items()},
        "indexes": {name: _index(one) for name, one in relation.indexes.items()},
        "is partitioned": bool(relation.partition_key),
        "partition columns": relation.partition_columns,
        "partition of": relation.partition_of,
        "is default": relation.bound == "DEFAULT",
        "inherits": set(relation.inherits),
        "reads": relation.reads,
        "uses": dict(relation.uses),
        "owner": relation.owner,
        "triggers": dict(relation.triggers),
        "firings": dict(relation.firings),
        "rules": set(relation.rules),
        "policies": set(relation.policies),
        "is logged": relation.is_logged,
    }


def _column(column: Column, *, is_view: bool) -> dict[str, Any]:
    if is_view:
        return {"type": column.type}
    return {
        "type": column.type,
        "is nullable": column.is_nullable,
        "has default": column.default is not None,
        "is identity": column.is_identity,
        "generated": column.generated,
        "collation": column.collation,
        "is local": column.is_local,
    }


def _constraint(held: Constraint) -> dict[str, Any]:
    return {
        "kind": held.kind,
        "columns": held.columns if held.index or held.references else set(held.columns),
        "is valid": held.is_valid,
        "is enforced": held.is_enforced,
        "references": held.references,
        "referenced columns": held.referenced_columns,
        "on delete": held.on_delete,
        "on update": held.on_update,
        "timing": held.timing,
        "not null": held.not_null,
        "index": held.index,
        "is inherited": held.is_inherited,
        "is no inherit": held.is_no_inherit,
    }


def _index(index: Index) -> dict[str, Any]:
    return {
        "columns": index.columns,
        "uses": index.uses,
        "method": index.method,
        "is unique": index.is_unique,
        "is valid": index.is_valid,
        "has predicate": bool(index.predicate),
        "expressions": len(index.expressions),
        "includes": index.includes,
        "labels": index.labels,
        "parent": index.parent,
        "collations": index.collations,
        "operator classes": index.operator_classes,
    }


def _type(kind: UserType) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "labels": kind.labels,
        "base": kind.base,
        "has constraint": kind.has_constraint,
        "constraints": dict(kind.constraints),
        "not null": kind.not_null,
    }


def _overloads(functions: tuple[Function, ...]) -> set[Any]:
    return {(one.arguments, one.volatility, one.language, one.is_inlined, one.types) for one in functions}
