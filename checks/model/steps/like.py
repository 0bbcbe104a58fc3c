"""LIKE … INCLUDING in a CREATE TABLE."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import current, with_constraint
from checks.model.relations import Column, ConstraintKind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import add_sequence
from checks.model.steps.indexes import add_index, chosen_name

# Bits of TableLikeOption (nodes/parsenodes.h).
_CONSTRAINTS, _DEFAULTS, _GENERATED, _IDENTITY, _INDEXES = 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6


def copy_columns(
    schema: Schema, name: Name, source: Relation, options: int, columns: dict[str, Column], *, is_logged: bool
) -> Schema:
    """Add the columns of a table to those of a new one. Identity brings a sequence, which the schema then has."""
    for column in source.columns.values():
        copy = replace(column, is_nullable=True, is_local=True)
        if column.generated and not options & _GENERATED:
            copy = replace(copy, generated="", default=None)
        elif not column.generated and not options & _DEFAULTS:
            copy = replace(copy, default=None)
        if column.is_identity and not options & _IDENTITY:
            copy = replace(copy, is_identity=False)
        elif column.is_identity:
            schema, _ = add_sequence(schema, name, column.name, is_logged=is_logged)
        columns[column.name] = copy
    return schema


def copy_rest(schema: Schema, name: Name, like: Name, options: int) -> Schema:
    """Return the schema in which a new table has the checks and indexes of another, as far as included."""
    source = current(schema, like)
    if options & _CONSTRAINTS:
        for constraint in source.constraints.values():
            if constraint.kind is ConstraintKind.CHECK:
                copy = replace(constraint, is_inherited=False)
                schema = schema.having(with_constraint(current(schema, name), copy))
    if options & _INDEXES:
        for index in source.indexes.values():
            carried = next((one for one in source.constraints.values() if one.index == index.name), None)
            chosen = chosen_name(schema, name, index, carried.kind if carried else None)
            held = replace(carried, name=chosen, index=chosen, is_inherited=False) if carried else None
            part = replace(index, name=chosen, parent=None, is_valid=True)
            schema = add_index(schema, name, part, held)
    return schema
