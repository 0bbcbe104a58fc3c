"""NOT NULL of a column, and what a table gives to its partitions and children."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import children, current, require_column, with_column, with_constraint
from checks.model.naming import constraint_name
from checks.model.relations import Constraint, ConstraintKind, Name, Relation
from checks.model.schema import Schema


def inherit(schema: Schema, table: Name, constraint: Constraint) -> Schema:
    """Return the schema in which everything below a table has its CHECK or NOT NULL too."""
    for child in () if constraint.is_no_inherit else children(schema, table):
        below = current(schema, child.name)
        if constraint.kind is ConstraintKind.NOT_NULL:
            schema = forbid_null(
                schema, child.name, constraint.columns[0], name=constraint.name, is_valid=constraint.is_valid,
                is_inherited=True,
            )  # fmt: skip
        elif constraint.name not in below.constraints:
            made = replace(constraint, is_inherited=True)
            schema = inherit(schema.having(with_constraint(below, made)), child.name, made)
    return schema


def forbid_null(
    schema: Schema, table: Name, column: str, *, name: str = "", is_valid: bool = True, is_no_inherit: bool = False,
    is_inherited: bool = False, only: bool = False,
) -> Schema:  # fmt: skip
    """Return the schema in which a column has NOT NULL, as a constraint like PostgreSQL 18 keeps it."""
    relation = current(schema, table)
    held = require_column(relation, column)
    if has := not_null_on(relation, column):
        if has.is_valid or not is_valid:
            return schema
        made = replace(has, is_valid=True, not_null=frozenset({column}))
    else:
        name = name if name and name not in relation.constraints else ""
        made = Constraint(
            name or constraint_name(schema, table.schema, table.name, column, "not_null"),
            ConstraintKind.NOT_NULL,
            columns=(column,),
            is_valid=is_valid,
            not_null=frozenset({column} if is_valid else ()),
            is_inherited=is_inherited,
            is_no_inherit=is_no_inherit,
        )
    relation = with_column(with_constraint(relation, made), replace(held, is_nullable=not is_valid))
    schema = schema.having(relation)
    return schema if only else inherit(schema, table, made)


def not_null_on(relation: Relation, column: str) -> Constraint | None:
    """Return the NOT NULL constraint of a column."""
    return next(
        (
            one
            for one in relation.constraints.values()
            if one.kind is ConstraintKind.NOT_NULL and one.columns == (column,)
        ),
        None,
    )
