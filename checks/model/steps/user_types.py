"""Enums, domains, composites and ranges: made and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checks.model.edit import Refused, creation_schema, without
from checks.model.naming import constraint_name
from checks.model.relations import Column, Kind, Name, Relation
from checks.model.schema import Schema, UserType
from checks.model.types import data_type, resolve
from checks.tree import Tree


def _new(schema: Schema, parts: tuple[Tree, ...]) -> Name:
    names = [part.text("sval") for part in parts]
    name = Name(names[-2] if len(names) > 1 else creation_schema(schema), names[-1])
    if name in schema.types or name in schema.relations:
        raise Refused(str(name))
    return name


def _having(schema: Schema, kind: UserType) -> Schema:
    return replace(schema, types={**schema.types, kind.name: kind})


def require_type(schema: Schema, parts: tuple[Tree, ...]) -> UserType:
    """Return the type that a list of names means. Raises Refused where there is none."""
    found = resolve([part.text("sval") for part in parts], schema)
    if found is None or found not in schema.types:
        raise Refused("no such type")
    return schema.types[found]


def create_enum(schema: Schema, tree: Tree) -> Schema:
    """CREATE TYPE … AS ENUM."""
    name = _new(schema, tree.each("typeName"))
    return _having(schema, UserType(name, "enum", labels=tuple(one.text("sval") for one in tree.each("vals"))))


def alter_enum(schema: Schema, tree: Tree) -> Schema:
    """ALTER TYPE … ADD VALUE and RENAME VALUE."""
    kind = require_type(schema, tree.each("typeName"))
    new, old, neighbour = tree.text("newVal"), tree.text("oldVal"), tree.text("newValNeighbor")
    labels = list(kind.labels)
    if new in labels or (old and old not in labels) or (neighbour and neighbour not in labels):
        raise Refused(new)
    if old:
        labels[labels.index(old)] = new
    elif neighbour:
        labels.insert(labels.index(neighbour) + int(tree.flag("newValIsAfter")), new)
    else:
        labels.append(new)
    return _having(schema, replace(kind, labels=tuple(labels)))


def create_domain(schema: Schema, tree: Tree) -> Schema:
    """CREATE DOMAIN."""
    name = _new(schema, tree.each("domainname"))
    kind = UserType(name, "domain", base=data_type(tree.get("typeName"), schema))
    for part in tree.each("constraints"):
        kind = _constrained(schema, kind, part)
    return _having(schema, _judged(schema, kind))


def _constrained(schema: Schema, kind: UserType, node: Tree) -> UserType:
    label = {"CONSTR_CHECK": "check", "CONSTR_NOTNULL": "not_null"}.get(node.enum("contype"))
    if label is None:
        return kind
    with_own = _having(schema, kind)
    name = node.text("conname") or constraint_name(with_own, kind.name.schema, kind.name.name, "", label)
    if name in kind.constraints:
        raise Refused(name)
    is_valid = not node.flag("skip_validation")
    not_null = name if label == "not_null" else kind.not_null
    return replace(kind, constraints={**kind.constraints, name: is_valid}, not_null=not_null)


def _judged(schema: Schema, kind: UserType) -> UserType:
    under = schema.find_type(kind.base) if kind.base else None
    return replace(kind, has_constraint=bool(kind.constraints) or (under is not None and under.has_constraint))


def alter_domain(schema: Schema, tree: Tree) -> Schema:
    """ALTER DOMAIN."""
    kind, name, node = require_type(schema, tree.each("typeName")), tree.text("name"), tree.get("def_")
    match tree.text("subtype"):
        case "C" if node:
            if node.enum("contype") == "CONSTR_NOTNULL" and kind.not_null:
                return schema
            kind = _constrained(schema, kind, node)
        case "X":
            if name not in kind.constraints:
                raise Refused(name)
            not_null = "" if kind.not_null == name else kind.not_null
            kind = replace(kind, constraints=without(kind.constraints, name), not_null=not_null)
        case "V":
            if name not in kind.constraints:
                raise Refused(name)
            kind = replace(kind, constraints={**kind.constraints, name: True})
        case "O":
            if kind.not_null:
                return schema
            chosen = constraint_name(schema, kind.name.schema, kind.name.name, "", "not_null")
            kind = replace(kind, constraints={**kind.constraints, chosen: True}, not_null=chosen)
        case "N":
            kind = replace(kind, constraints=without(kind.constraints, kind.not_null), not_null="")
        case _:
            return schema  # its default
    return judged_again(_having(schema, kind))


def judged_again(schema: Schema) -> Schema:
    """Return the schema in which every domain says whether a value can break it, those based on others too."""
    for kind in schema.types.values():
        if kind.kind == "domain" and (now := _judged(schema, kind)) != kind:
            return judged_again(_having(schema, now))
    return schema


def create_composite(schema: Schema, tree: Tree) -> Schema:
    """CREATE TYPE … AS (…): a relation without rows, and a type."""
    relation = tree.get("typevar")
    if relation is None:
        return schema
    written = relation.text("schemaname") or creation_schema(schema)
    name = Name(written, relation.text("relname"))
    if name in schema.types or name in schema.relations:
        raise Refused(str(name))
    columns = {
        one.text("colname"): Column(one.text("colname"), data_type(one.get("typeName"), schema))
        for one in tree.each("coldeflist")
    }
    schema = schema.having(Relation(name, Kind.COMPOSITE, columns, made_in=schema.script))
    return _having(schema, UserType(name, "composite"))


def create_range(schema: Schema, tree: Tree) -> Schema:
    """CREATE TYPE … AS RANGE, with the multirange that comes with it."""
    name = _new(schema, tree.each("typeName"))
    return _having(schema, UserType(name, "range"))


def create_base(schema: Schema, tree: Tree) -> Schema:
    """CREATE TYPE in C, or a shell of one. Other things of this statement are not in the model."""
    if tree.enum("kind") == "OBJECT_TYPE":
        return _having(schema, UserType(_new(schema, tree.each("defnames")), "base"))
    return schema


STEPS: dict[str, Callable[[Schema, Tree], Schema]] = {
    "CreateEnumStmt": create_enum,
    "AlterEnumStmt": alter_enum,
    "CreateDomainStmt": create_domain,
    "AlterDomainStmt": alter_domain,
    "CompositeTypeStmt": create_composite,
    "CreateRangeStmt": create_range,
}
"""What each statement about types does."""
