"""RENAME and SET SCHEMA of anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checks.model.edit import (
    Refused,
    current,
    renamed,
    require,
    require_index,
)
from checks.model.naming import is_relation
from checks.model.relations import Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.attached import rename_attached
from checks.model.steps.defaults import takes_from
from checks.model.steps.programs import named_functions
from checks.model.steps.rename_parts import rename_column, rename_constraint, rename_index
from checks.model.steps.triggers import rename_trigger
from checks.model.steps.user_types import require_type
from checks.names import qualified
from checks.tree import Tree

_RELATIONS = frozenset({"TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE", "SEQUENCE", "INDEX"})
_FUNCTIONS = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"})
# Nothing of these is in the model.
_UNSEEN = frozenset(
    """
    ROLE DATABASE TABLESPACE STATISTIC_EXT PUBLICATION SUBSCRIPTION EVENT_TRIGGER FDW
    FOREIGN_SERVER COLLATION CONVERSION TSCONFIGURATION TSDICTIONARY TSPARSER TSTEMPLATE LANGUAGE
    OPERATOR OPCLASS OPFAMILY
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def rename(schema: Schema, tree: Tree) -> Schema:  # noqa: PLR0911 - one for each
    """ALTER … RENAME."""
    kind, new = tree.enum("renameType").removeprefix("OBJECT_"), tree.text("newname")
    old, written = tree.text("subname"), tree.relation()
    if kind in _RELATIONS:
        return _rename_relation(schema, written, new)
    if kind in {"COLUMN", "ATTRIBUTE"}:
        return rename_column(schema, require(schema, written).name, old, new)
    if kind == "TABCONSTRAINT":
        return rename_constraint(schema, require(schema, written).name, old, new)
    if kind in {"RULE", "POLICY"}:
        return rename_attached(schema, kind, written, old, new)
    if kind == "TRIGGER":
        relation = require(schema, written)
        return schema.having(rename_trigger(relation, old, new))
    if kind in {"TYPE", "DOMAIN", "DOMCONSTRAINT"}:
        return _rename_type(schema, tree, kind, old, new)
    if kind == "SCHEMA":
        return _rename_schema(schema, old, new)
    if kind in _FUNCTIONS:
        item = tree.get("object")
        return _move_functions(schema, item, lambda name: Name(name.schema, new)) if item else schema
    return schema if kind in _UNSEEN else schema.doubting(f"RENAME of a {kind.lower()}")


def move(schema: Schema, tree: Tree) -> Schema:
    """ALTER … SET SCHEMA."""
    kind, place = tree.enum("objectType").removeprefix("OBJECT_"), tree.text("newschema")
    if place not in schema.schemas and schema.is_certain:
        raise Refused(place)
    if kind in _RELATIONS:
        return _move_relation(schema, require(schema, tree.relation()).name, place)
    item = tree.get("object")
    if kind in _FUNCTIONS and item:
        return _move_functions(schema, item, lambda name: Name(place, name.name))
    if kind in {"TYPE", "DOMAIN"} and item:
        found = require_type(schema, item.items())
        return _with_type_named(schema, found.name, Name(place, found.name.name))
    return schema if kind in _UNSEEN else schema.doubting(f"SET SCHEMA of a {kind.lower()}")


def _rename_relation(schema: Schema, written: str, new: str) -> Schema:
    found = schema.find(written)
    if found is None:  # ALTER TABLE may rename an index as well
        table, index = require_index(schema, written)
        return rename_index(schema, table.name, index, new)
    name = Name(found.name.schema, new)
    if is_relation(schema, name):
        raise Refused(new)
    return with_relation_named(schema, found.name, name)


def _move_relation(schema: Schema, name: Name, place: str) -> Schema:
    if current(schema, name).owner:
        raise Refused("a sequence goes with its table")
    for one in (name, *(one.name for one in schema.relations.values() if one.owner and one.owner[0] == name)):
        moved = Name(place, one.name)
        if moved != one and is_relation(schema, moved):
            raise Refused(str(moved))
        schema = with_relation_named(schema, one, moved)
    return schema


def with_relation_named(schema: Schema, old: Name, new: Name) -> Schema:
    """Return the schema in which a relation has another full name, wherever it is mentioned."""
    relations: dict[Name, Relation] = {}
    for key, one in schema.relations.items():
        made = replace(one, name=new) if key == old else one
        if old in made.reads:
            uses = {new if one == old else one: names for one, names in made.uses.items()}
            made = replace(made, reads=made.reads - {old} | {new}, uses=uses)
        if made.partition_of == old:
            made = replace(made, partition_of=new)
        if old in made.inherits:
            made = replace(made, inherits=tuple(new if parent == old else parent for parent in made.inherits))
        if made.owner and made.owner[0] == old:
            made = replace(made, owner=(new, made.owner[1]))
        if any(constraint.references == old for constraint in made.constraints.values()):
            made = replace(made, constraints={
                name: replace(held, references=new) if held.references == old else held
                for name, held in made.constraints.items()
            })  # fmt: skip
        if old.schema != new.schema and any(
            index.parent and made.partition_of == new for index in made.indexes.values()
        ):
            made = replace(made, indexes={
                name: replace(index, parent=Name(new.schema, index.parent.name)) if index.parent else index
                for name, index in made.indexes.items()
            })  # fmt: skip
        relations[new if key == old else key] = made
    schema = replace(schema, relations=relations)
    if schema.relations[new].kind is Kind.SEQUENCE:
        return _with_defaults_from(schema, old, new)
    return _with_type_named(schema, old, new)


def _with_defaults_from(schema: Schema, old: Name, new: Name) -> Schema:
    written = qualified(*new).replace("'", "''")
    for relation in tuple(schema.relations.values()):
        for column in relation.columns.values():
            if column.default and takes_from(column.default, old):
                made = replace(column, default=f"nextval('{written}'::regclass)")
                held = current(schema, relation.name)
                schema = schema.having(replace(held, columns={**held.columns, column.name: made}))
    return schema


def _rename_type(schema: Schema, tree: Tree, kind: str, old: str, new: str) -> Schema:
    item = tree.get("object")
    found = require_type(schema, item.items() if item else ())
    if kind != "DOMCONSTRAINT":
        return _with_type_named(schema, found.name, Name(found.name.schema, new))
    if old not in found.constraints:
        raise Refused(old)
    made = replace(
        found,
        constraints=renamed(found.constraints, old, new, found.constraints[old]),
        not_null=new if found.not_null == old else found.not_null,
    )
    return replace(schema, types={**schema.types, found.name: made})


def _with_type_named(schema: Schema, old: Name, new: Name) -> Schema:
    """Return the schema in which a type has another full name: in itself, in columns, in domains over it."""
    types = {}
    for key, one in schema.types.items():
        base = one.base
        if base and (base.schema, base.name) == tuple(old):
            base = replace(base, schema=new.schema, name=new.name)
        made = replace(one, base=base, name=new if key == old else one.name)
        types[made.name] = made
    schema = replace(schema, types=types)
    composite = schema.relations.get(old)
    if composite and composite.kind is Kind.COMPOSITE:
        schema = replace(schema, relations=renamed_key(schema, old, replace(composite, name=new)))
    for relation in tuple(schema.relations.values()):
        if any((one.type.schema, one.type.name) == tuple(old) for one in relation.columns.values()):
            columns = {
                key: replace(one, type=replace(one.type, schema=new.schema, name=new.name))
                if (one.type.schema, one.type.name) == tuple(old) else one
                for key, one in relation.columns.items()
            }  # fmt: skip
            schema = schema.having(replace(relation, columns=columns))
    return schema


def renamed_key(schema: Schema, old: Name, made: Relation) -> dict[Name, Relation]:
    """Return the relations with one under its new name, at the same place."""
    return {made.name if key == old else key: made if key == old else one for key, one in schema.relations.items()}


def _rename_schema(schema: Schema, old: str, new: str) -> Schema:
    if (old not in schema.schemas and schema.is_certain) or new in schema.schemas:
        raise Refused(old)
    schema = replace(schema, schemas=schema.schemas - {old} | {new})
    for name in [one for one in schema.relations if one.schema == old]:
        schema = with_relation_named(schema, name, Name(new, name.name))
    for name in [one for one in schema.types if one.schema == old]:
        schema = _with_type_named(schema, name, Name(new, name.name))
    functions = {
        (Name(new, name.name) if name.schema == old else name): tuple(
            replace(one, name=Name(new, name.name)) if name.schema == old else one for one in found
        )
        for name, found in schema.functions.items()
    }
    return replace(schema, functions=functions)


def _move_functions(schema: Schema, item: Tree, to: Callable[[Name], Name]) -> Schema:
    name, found = named_functions(schema, item)
    new = to(name)
    left = tuple(one for one in schema.functions[name] if one not in found)
    functions = {key: one for key, one in schema.functions.items() if key != name}
    if left:
        functions[name] = left
    functions[new] = (*functions.get(new, ()), *(replace(one, name=new) for one in found))
    triggers = schema.relations.values() if not left else ()
    for relation in tuple(triggers):
        if name in relation.triggers.values():
            changed = {key: new if one == name else one for key, one in relation.triggers.items()}
            schema = schema.having(replace(relation, triggers=changed))
    return replace(schema, functions=functions)
