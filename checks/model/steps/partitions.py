"""Partitions: made, attached, detached; and tables that inherit."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, current, require, with_constraint
from checks.model.naming import constraint_name
from checks.model.relations import Constraint, ConstraintKind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.foreign_keys import inherit_foreign_key
from checks.model.steps.indexes import ensure_part, validate_parent
from checks.model.steps.not_null import not_null_on
from checks.tree import Tree


def take_shares(schema: Schema, partition: Name, parent: Name) -> Schema:
    """Return the schema in which a partition has its part of every index and foreign key of its parent."""
    above = current(schema, parent)
    for index in above.indexes.values():
        carried = next((one for one in above.constraints.values() if one.index == index.name), None)
        schema = ensure_part(schema, partition, Name(parent.schema, index.name), index, carried)
    for constraint in above.constraints.values():
        if constraint.kind is ConstraintKind.FOREIGN_KEY:
            schema = inherit_foreign_key(schema, partition, constraint)
    for index in above.indexes.values():
        if not index.is_valid:
            schema = validate_parent(schema, parent, index.name)
    return schema


def attach(schema: Schema, table: Name, command: Tree) -> Schema:
    """ATTACH PARTITION. Raises Refused where the table is a partition or child already."""
    partition, bound = require(schema, command.relation("name")), command.get("bound")
    above = current(schema, table)
    has_identity = any(one.is_identity for one in partition.columns.values())
    if partition.partition_of or partition.inherits or has_identity or above.columns.keys() != partition.columns.keys():
        raise Refused(str(partition.name))
    columns = {name: replace(one, is_local=False) for name, one in partition.columns.items()}
    constraints = {
        name: replace(one, is_inherited=one.is_inherited or _comes_from(above, one))
        for name, one in partition.constraints.items()
    }
    schema = schema.having(replace(
        partition, partition_of=table, bound=bound_of(bound), columns=columns, constraints=constraints
    ))  # fmt: skip
    return take_shares(schema, partition.name, table)


def bound_of(bound: Tree | None) -> str:
    """Return which rows a partition takes, as SQL."""
    if bound is None or bound.flag("is_default"):
        return "DEFAULT"
    return bound.sql()


def detach(schema: Schema, table: Name, command: Tree) -> Schema:
    """DETACH PARTITION. The partition keeps what it had, as its own."""
    partition = require(schema, command.relation("name"))
    if partition.partition_of != table:
        raise Refused(str(partition.name))
    made = on_its_own(partition)
    if command.flag("concurrent"):
        made = _remembering_its_bound(schema, made, current(schema, table))
    return schema.having(made)


def on_its_own(partition: Relation) -> Relation:
    """Return a partition as a table that belongs to no other."""
    return replace(
        partition,
        partition_of=None,
        bound="",
        columns={name: replace(one, is_local=True, is_identity=False) for name, one in partition.columns.items()},
        indexes={name: replace(one, parent=None) for name, one in partition.indexes.items()},
        constraints={name: replace(one, is_inherited=False) for name, one in partition.constraints.items()},
    )


def _remembering_its_bound(schema: Schema, partition: Relation, table: Relation) -> Relation:
    """Return the partition with the CHECK that CONCURRENTLY leaves, in the place of its bound."""
    columns = tuple(one for one in table.columns if one in table.partition_columns)
    middle = columns[0] if len(columns) == 1 else ""
    name = constraint_name(schema, partition.name.schema, partition.name.name, middle, "check")
    made = Constraint(name, ConstraintKind.CHECK, columns=columns, not_null=frozenset(columns))
    return with_constraint(partition, made)


def add_parent(schema: Schema, table: Name, parent: Tree) -> Schema:
    """INHERIT parent. Constraints of the parent are there already, or the server refuses."""
    child, above = current(schema, table), require(schema, parent.range_name())
    if child.partition_of or above.name in child.inherits:
        raise Refused(str(above.name))
    return schema.having(replace(child, inherits=(*child.inherits, above.name)))


def drop_parent(schema: Schema, table: Name, parent: Tree) -> Schema:
    """NO INHERIT parent. Columns and constraints stay, as the table's own."""
    child, above = current(schema, table), require(schema, parent.range_name())
    if above.name not in child.inherits:
        raise Refused(str(above.name))
    left = tuple(one for one in child.inherits if one != above.name)
    others = [current(schema, one) for one in left]
    columns = {
        name: replace(one, is_local=one.is_local or not any(name in other.columns for other in others))
        if name in above.columns else one
        for name, one in child.columns.items()
    }  # fmt: skip
    constraints = {
        name: replace(one, is_inherited=any(_comes_from(other, one) for other in others))
        if _comes_from(above, one)
        else one
        for name, one in child.constraints.items()
    }
    return schema.having(replace(child, columns=columns, constraints=constraints, inherits=left))


def _comes_from(parent: Relation, constraint: Constraint) -> bool:
    """True when a CHECK or NOT NULL of a child comes from this parent too."""
    if constraint.kind is ConstraintKind.NOT_NULL:
        return not_null_on(parent, constraint.columns[0]) is not None
    return constraint.kind is ConstraintKind.CHECK and constraint.name in parent.constraints
