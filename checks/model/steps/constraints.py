"""ADD, DROP and VALIDATE of constraints, with what follows on partitions and children."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, children, current, with_column, with_constraint, without
from checks.model.expressions import columns_in, not_null_in
from checks.model.naming import constraint_name
from checks.model.relations import Constraint, ConstraintKind, Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import Wanted
from checks.model.steps.foreign_keys import add_foreign_key
from checks.model.steps.indexes import primary_key
from checks.model.steps.keys import add_key
from checks.model.steps.not_null import forbid_null, inherit, not_null_on


def add_constraint(schema: Schema, table: Name, wanted: Wanted, *, only: bool = False) -> Schema:
    """Return the schema with the constraint that is asked for. Raises Refused where the server would."""
    if wanted.kind == "CONSTR_CHECK":
        return _add_check(schema, table, wanted, only=only)
    if wanted.kind == "CONSTR_FOREIGN":
        return add_foreign_key(schema, table, wanted)
    if wanted.kind == "CONSTR_NOTNULL":
        node = wanted.node
        column = wanted.column or node.each("keys")[0].text("sval")
        return forbid_null(
            schema, table, column, name=wanted.name, is_valid=not node.flag("skip_validation"),
            is_no_inherit=node.flag("is_no_inherit"), only=only,
        )  # fmt: skip
    return add_key(schema, table, wanted, only=only)


def _add_check(schema: Schema, table: Name, wanted: Wanted, *, only: bool) -> Schema:
    node, relation = wanted.node, current(schema, table)
    if node.flag("is_no_inherit"):
        if relation.kind is Kind.PARTITIONED:
            raise Refused("NO INHERIT on a partitioned table")
    elif only and children(schema, table):
        raise Refused("children need it too")
    expression = node.get("raw_expr")
    named = columns_in(expression, relation.columns, table.name)
    columns = tuple(one for one in relation.columns if one in named)
    name = wanted.name or constraint_name(
        schema, table.schema, table.name, columns[0] if len(columns) == 1 else "", "check"
    )
    if name in relation.constraints:
        raise Refused(name)
    made = Constraint(
        name,
        ConstraintKind.CHECK,
        columns=columns,
        is_valid=wanted.is_enforced and not node.flag("skip_validation"),
        is_enforced=wanted.is_enforced,
        expression=expression.sql() if expression else "",
        not_null=not_null_in(expression, relation.columns),
        is_no_inherit=node.flag("is_no_inherit"),
    )
    schema = schema.having(with_constraint(relation, made))
    return schema if only else inherit(schema, table, made)


def validate(schema: Schema, table: Name, name: str) -> Schema:
    """VALIDATE CONSTRAINT, on everything below too."""
    relation = current(schema, table)
    held = relation.constraints.get(name)
    if held is None or not held.is_enforced:
        raise Refused(name)
    is_not_null = held.kind is ConstraintKind.NOT_NULL
    valid = replace(held, is_valid=True, not_null=frozenset(held.columns) if is_not_null else held.not_null)
    relation = with_constraint(relation, valid)
    if is_not_null:
        relation = with_column(relation, replace(relation.columns[held.columns[0]], is_nullable=False))
    schema = schema.having(relation)
    for child in children(schema, table):
        own = _counterpart(current(schema, child.name), held)
        if own and not own.is_valid:
            schema = validate(schema, child.name, own.name)
    return schema


def _counterpart(child: Relation, held: Constraint) -> Constraint | None:
    """Return the constraint of a child that comes from one of its parent."""
    if held.kind is ConstraintKind.NOT_NULL:
        return not_null_on(child, held.columns[0])
    if held.kind is ConstraintKind.CHECK:
        return child.constraints.get(held.name)
    return next(
        (one for one in child.constraints.values()
         if one.is_inherited and (one.kind, one.columns, one.references) == (held.kind, held.columns, held.references)),
        None,
    )  # fmt: skip


def drop_constraint(schema: Schema, table: Name, name: str, *, cascade: bool = False, only: bool = False) -> Schema:
    """Return the schema without a constraint, its index, and what it gave to partitions and children.

    `only` leaves what it gave, as a DROP of its column does.
    """
    relation = current(schema, table)
    held = relation.constraints.get(name)
    if held is None:
        raise Refused(name)
    if held.kind in {ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE}:
        schema = _drop_references(schema, relation, held, cascade=cascade)
        relation = current(schema, table)
    relation = replace(relation, constraints=without(relation.constraints, name))
    if held.index:
        relation = replace(relation, indexes=without(relation.indexes, held.index))
    if held.kind is ConstraintKind.NOT_NULL:
        if not only and (primary := primary_key(relation)) and held.columns[0] in primary.columns:
            raise Refused("in the primary key")
        relation = with_column(relation, replace(relation.columns[held.columns[0]], is_nullable=True))
    schema = schema.having(relation)
    for child in () if only and not held.index else children(schema, table):
        own = _part(child, table, held) if held.index else _counterpart(child, held)
        if own and own.is_inherited:
            schema = drop_constraint(schema, child.name, own.name, cascade=cascade)
    return schema


def _part(child: Relation, table: Name, held: Constraint) -> Constraint | None:
    parent = Name(table.schema, held.index)
    return next(
        (one for one in child.constraints.values() if one.index and child.indexes[one.index].parent == parent), None
    )


def _drop_references(schema: Schema, relation: Relation, held: Constraint, *, cascade: bool) -> Schema:
    for other, reference in tuple(schema.referencing(relation.name)):
        if (
            set(reference.referenced_columns) != set(held.columns)
            or reference.name not in current(schema, other.name).constraints
        ):
            continue
        if not cascade:
            raise Refused(f"{reference.name} needs it")
        schema = drop_constraint(schema, other.name, reference.name, cascade=True)
    return schema
