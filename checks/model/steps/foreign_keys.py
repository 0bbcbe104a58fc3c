"""Foreign keys: of a table, and of its partitions."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, current, with_constraint
from checks.model.naming import constraint_name, joined
from checks.model.relations import Constraint, ConstraintKind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import Wanted
from checks.model.steps.indexes import primary_key
from checks.tree import Tree

_ON_DELETE = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}


def add_foreign_key(schema: Schema, table: Name, wanted: Wanted) -> Schema:
    """FOREIGN KEY and REFERENCES. Raises Refused where the server would."""
    node, relation = wanted.node, current(schema, table)
    columns = tuple(key.text("sval") for key in node.each("fk_attrs")) or (wanted.column,)
    if not set(columns) <= relation.columns.keys():
        raise Refused("no such column")
    other = _referenced(schema, node)
    keys = tuple(key.text("sval") for key in node.each("pk_attrs"))
    primary = primary_key(other) if other else None
    if other and not keys and primary is None and not schema.doubts:
        raise Refused("no primary key")
    name = wanted.name or constraint_name(schema, table.schema, table.name, joined(columns), "fkey")
    if name in relation.constraints:
        raise Refused(name)
    made = Constraint(
        name,
        ConstraintKind.FOREIGN_KEY,
        columns=columns,
        is_valid=wanted.is_enforced and not node.flag("skip_validation"),
        is_enforced=wanted.is_enforced,
        references=other.name if other else schema.place(node.relation("pktable")),
        referenced_columns=keys or (primary.columns if primary else ()),
        on_delete=_ON_DELETE.get(node.text("fk_del_action"), ""),
        on_update=_ON_DELETE.get(node.text("fk_upd_action"), ""),
        timing=wanted.timing,
    )
    return share_foreign_key(schema.having(with_constraint(relation, made)), table, made)


def _referenced(schema: Schema, node: Tree) -> Relation | None:
    """Return the table a foreign key refers to. Raises Refused where it is known not to exist."""
    written = node.relation("pktable")
    found = schema.find(written)
    if found is None and schema.is_complete and not schema.doubts:
        raise Refused(written)
    return found


def share_foreign_key(schema: Schema, table: Name, made: Constraint) -> Schema:
    """Return the schema in which every partition has its table's foreign key."""
    for partition in tuple(schema.partitions(table)):
        schema = inherit_foreign_key(schema, partition.name, made)
    return schema


def inherit_foreign_key(schema: Schema, partition: Name, made: Constraint) -> Schema:
    """Return the schema in which a partition has this foreign key: its own one that is equal, or a new one."""
    relation = current(schema, partition)
    for own in relation.constraints.values():
        if (own.kind, own.columns, own.references, own.referenced_columns) == (
            made.kind, made.columns, made.references, made.referenced_columns,
        ) and not own.is_inherited:  # fmt: skip
            return schema.having(with_constraint(relation, replace(own, is_inherited=True)))
    name = made.name
    if name in relation.constraints:
        name = constraint_name(schema, partition.schema, partition.name, joined(made.columns), "fkey")
    copy = replace(made, name=name, is_inherited=True)
    return share_foreign_key(schema.having(with_constraint(relation, copy)), partition, copy)
