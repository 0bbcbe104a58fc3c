"""What ALTER TABLE does to columns, on the table and on everything below it."""

from __future__ import annotations

import re
from dataclasses import replace

from checks.model.edit import (
    Refused,
    children,
    collation_of,
    current,
    family,
    owned_sequences,
    require_column,
    require_own_column,
    with_column,
    with_constraint,
    without,
)  # fmt: skip
from checks.model.relations import Column, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import (
    add_column,
    add_sequence,
    default_of,
    identity_sequence,
    make_sequence,
    read_column,
    timing_of,
)
from checks.model.steps.constraints import drop_constraint
from checks.model.steps.defaults import without_defaults_of
from checks.model.steps.not_null import forbid_null, not_null_on
from checks.model.steps.triggers import lacking_triggers
from checks.model.types import data_type
from checks.names import qualified
from checks.tree import Tree

COMMANDS = frozenset(
    {"AT_AlterColumnType", "AT_SetNotNull", "AT_DropNotNull", "AT_ColumnDefault", "AT_AddIdentity", "AT_DropIdentity",
     "AT_SetExpression", "AT_DropExpression"}
)  # fmt: skip


def add(schema: Schema, table: Name, definition: Tree, *, only: bool) -> Schema:
    """ADD COLUMN, with its sequence, but without the constraints written inside it."""
    relation = current(schema, table)
    name = definition.text("colname")
    if name in relation.columns:
        raise Refused(name)
    found = read_column(definition, schema)
    schema, found = make_sequence(schema, table, found, is_logged=relation.is_logged)
    schema = add_column(schema, table, found.column)
    schema = schema if only else _add_below(schema, table, found.column)
    return forbid_null(schema, table, name, only=only) if found.forbids_null else schema


def _add_below(schema: Schema, table: Name, column: Column) -> Schema:
    for child in children(schema, table):
        if column.name not in child.columns:
            schema = add_column(schema, child.name, replace(column, is_local=False))
            schema = _add_below(schema, child.name, column)
    return schema


def drop(schema: Schema, table: Name, name: str, *, cascade: bool = False, only: bool = False) -> Schema:
    """DROP COLUMN, with the constraints, indexes, sequences and generated columns that are about it."""
    relation = current(schema, table)
    require_column(relation, name)
    if name in relation.partition_columns:
        raise Refused("in the partition key")
    for constraint in tuple(relation.constraints.values()):
        if name in constraint.columns and constraint.name in current(schema, table).constraints:
            schema = drop_constraint(schema, table, constraint.name, cascade=cascade, only=True)
    schema = _drop_generated(schema, relation, name, cascade=cascade)
    for view in tuple(schema.readers(table)):
        if name in view.uses.get(table, ()) and view.name in schema.relations:
            if not cascade:
                raise Refused(f"{view.name} reads it")
            schema = lacking_views(schema, view.name)
    schema = _drop_sequences(schema, table, name, cascade=cascade)
    relation = current(schema, table)
    relation = _without_triggers_on(relation, name, cascade=cascade)
    schema = schema.having(replace(
        relation,
        columns=without(relation.columns, name),
        indexes={key: one for key, one in relation.indexes.items() if name not in one.uses},
        constraints={key: one for key, one in relation.constraints.items()
                     if not one.index or name not in relation.indexes[one.index].uses},
    ))  # fmt: skip
    for child in children(schema, table):
        below = child.columns.get(name)
        if below and only:
            schema = schema.having(with_column(child, replace(below, is_local=True)))
        elif below and not below.is_local and not _from_another(schema, child, table, name):
            schema = drop(schema, child.name, name, cascade=cascade)
    return schema


def _without_triggers_on(relation: Relation, name: str, *, cascade: bool) -> Relation:
    triggers = relation.triggers_on(name)
    if triggers and not cascade:
        raise Refused("a trigger names it")
    return lacking_triggers(relation, triggers)


def _drop_sequences(schema: Schema, table: Name, name: str, *, cascade: bool) -> Schema:
    gone = owned_sequences(schema, table, name)
    for sequence in gone:
        own = with_column(current(schema, table), replace(current(schema, table).columns[name], default=None))
        schema = without_defaults_of(schema.having(own).lacking(sequence), sequence, cascade=cascade)
    return schema


def lacking_views(schema: Schema, view: Name) -> Schema:
    """Return the schema without a view, and without those made of it."""
    for other in tuple(schema.readers(view)):
        schema = lacking_views(schema, other.name)
    return schema.lacking(view)


def _from_another(schema: Schema, child: Relation, table: Name, name: str) -> bool:
    return any(one != table and name in current(schema, one).columns for one in child.inherits)


def _drop_generated(schema: Schema, relation: Relation, name: str, *, cascade: bool) -> Schema:
    for other in relation.columns.values():
        if other.generated and other.name != name and name in names_in(other.default or ""):
            if not cascade:
                raise Refused(f"{other.name} is made of it")
            schema = drop(schema, relation.name, other.name, cascade=True)
    return schema


def names_in(expression: str) -> frozenset[str]:
    """Return the words of an expression in SQL that may be columns."""
    return frozenset(re.findall(r'[\w$]+|(?<=")[^"]+(?=")', expression))


def alter(schema: Schema, table: Name, command: Tree, *, only: bool) -> Schema:
    """ALTER COLUMN in its forms. Defaults, types and NOT NULL follow on partitions and children."""
    subtype, name = command.enum("subtype"), command.text("name")
    relation = current(schema, table)
    column = require_column(relation, name)
    if subtype == "AT_SetNotNull":
        return forbid_null(schema, table, name, only=only)
    if subtype == "AT_DropNotNull":
        held = not_null_on(relation, name)
        if column.is_identity:
            raise Refused("identity")
        return drop_constraint(schema, table, held.name) if held else schema
    if subtype in {"AT_AddIdentity", "AT_DropIdentity"}:
        return _identity(schema, relation, column, command)
    if subtype == "AT_AlterColumnType":
        require_own_column(schema, table, name)
    for one in (table,) if only else tuple(family(schema, table)):
        schema = _change(schema, one, command)
    return schema


def _identity(schema: Schema, relation: Relation, column: Column, command: Tree) -> Schema:
    """ADD and DROP of an identity, with its sequence."""
    definition = command.get("def_")
    if command.enum("subtype") == "AT_AddIdentity" and definition:
        if column.is_identity or column.is_nullable or column.default is not None:
            raise Refused("identity")
        written = identity_sequence(definition)
        schema, _ = add_sequence(schema, relation.name, column.name, written, is_logged=relation.is_logged)
    elif column.is_identity:
        for sequence in owned_sequences(schema, relation.name, column.name):
            schema = schema.lacking(sequence)
    elif command.flag("missing_ok"):
        return schema
    else:
        raise Refused("no identity")
    return schema.having(with_column(relation, replace(column, is_identity=not column.is_identity)))


def _change(schema: Schema, table: Name, command: Tree) -> Schema:
    relation, definition = current(schema, table), command.get("def_")
    column = require_column(relation, command.text("name"))
    match command.enum("subtype"):
        case "AT_ColumnDefault":
            if column.generated:
                raise Refused("generated")
            column = replace(column, default=default_of(definition))
        case "AT_AlterColumnType" if definition:
            if any(column.name in view.uses.get(table, ()) for view in schema.readers(table)):
                raise Refused("a view reads it")
            if relation.triggers_on(column.name):
                raise Refused("a trigger names it")
            kind = data_type(definition.get("typeName"), schema)
            if column.default and not column.type.is_built_in and not column.generated:
                # The server keeps the way over the old type, and with it the need for that type.
                way = f"({column.default})::{qualified(column.type.schema, column.type.name)}"
                column = replace(column, default=way)
            column = replace(column, type=kind, collation=collation_of(definition.get("collClause")))
        case "AT_SetExpression" if definition and column.generated:
            column = replace(column, default=definition.sql())
        case "AT_DropExpression" if column.generated == "stored":
            column = replace(column, generated="", default=None)
        case _ if command.flag("missing_ok"):
            return schema
        case _:
            raise Refused("not generated")
    return schema.having(with_column(relation, column))


def alter_constraint(schema: Schema, table: Name, definition: Tree) -> Schema:
    """ALTER CONSTRAINT: whether and when it is enforced, and whether children have it, are part of the model."""
    relation = current(schema, table)
    held = relation.constraints.get(definition.text("conname"))
    if held is None:
        raise Refused(definition.text("conname"))
    if definition.flag("alterEnforceability"):
        enforced = definition.flag("is_enforced")
        held = replace(held, is_enforced=enforced, is_valid=enforced)
    if definition.flag("alterInheritability"):
        held = replace(held, is_no_inherit=definition.flag("noinherit"))
    if definition.flag("alterDeferrability"):
        held = replace(held, timing=timing_of(definition))
    return schema.having(with_constraint(relation, held))
