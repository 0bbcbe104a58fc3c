"""CREATE INDEX, and the indexes that constraints make: on a table, and as parts on its partitions."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import (
    Refused,
    collation_of,
    current,
    dotted_name,
    require,
    require_index,
    with_constraint,
    with_index,
    without,
)
from checks.model.expressions import columns_in, label_of
from checks.model.naming import index_columns, is_relation, joined, relation_name
from checks.model.relations import Constraint, ConstraintKind, Index, Kind, Name, Relation
from checks.model.schema import Schema
from checks.tree import Tree

_LABELS = {ConstraintKind.PRIMARY_KEY: "pkey", ConstraintKind.UNIQUE: "key", ConstraintKind.EXCLUSION: "excl"}

# They are the default of their types in every access method that has them (pg_opclass of PostgreSQL 18).
_USUAL_CLASSES = frozenset(
    """
    array_ops bit_ops bool_ops bpchar_ops bytea_ops date_ops enum_ops float4_ops float8_ops
    int2_ops int4_ops int8_ops interval_ops jsonb_ops macaddr_ops money_ops name_ops numeric_ops oid_ops
    range_ops text_ops time_ops timestamp_ops timestamptz_ops timetz_ops tsquery_ops tsvector_ops
    uuid_ops varbit_ops
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def create_index(schema: Schema, tree: Tree) -> Schema:
    """CREATE INDEX. On a partitioned table it makes the index on every partition too, unless ONLY is written."""
    relation = require(schema, tree.relation())
    if relation.kind not in {Kind.TABLE, Kind.PARTITIONED, Kind.MATERIALIZED}:
        raise Refused(str(relation.name))
    written = tree.text("idxname")
    if leftover := leftover_of(relation, tree):
        relation = replace(relation, indexes=without(relation.indexes, leftover.name))
        schema = schema.having(relation)
    if written and is_relation(schema, Name(relation.name.schema, written)):
        raise Refused(written)  # with IF NOT EXISTS nothing happens either
    on = tree.get("relation")
    only = relation.kind is Kind.PARTITIONED and on is not None and not on.flag("inh")
    if relation.kind is Kind.PARTITIONED and tree.flag("concurrent"):
        raise Refused("concurrently on a partitioned table")
    index = index_of(tree, relation)
    index = replace(index, name=written or chosen_name(schema, relation.name, index))
    # Of a partitioned table it is valid once every partition has its part.
    index = replace(index, is_valid=not only or not any(schema.partitions(relation.name)))
    return add_index(schema, relation.name, index, only=only)


def leftover_of(relation: Relation, tree: Tree) -> Index | None:
    """Return the INVALID index that a cut-off CREATE INDEX CONCURRENTLY like this one has left on the table, or None.

    The executor drops it first, if it is the one that the statement asks for; what is compared here is what no server
    shows in other words than the author wrote.
    """
    found = relation.indexes.get(tree.text("idxname"))
    if found is None or found.is_valid or not tree.flag("concurrent") or relation.kind is Kind.PARTITIONED:
        return None
    try:
        wanted = index_of(tree, relation)
    except Refused:
        return None
    is_same = all(
        getattr(wanted, part) == getattr(found, part) for part in ("columns", "includes", "method", "is_unique")
    )
    return found if is_same else None


def index_of(tree: Tree, relation: Relation) -> Index:
    """Return what an IndexStmt describes, without a name where none is written."""
    elements = tree.each("indexParams")
    index = keyed(relation, elements, [one.text("name") for one in tree.each("indexIncludingParams")])
    predicate = tree.get("whereClause")
    return replace(
        index,
        name=tree.text("idxname"),
        method=tree.text("accessMethod") or "btree",
        is_unique=tree.flag("unique"),
        predicate=predicate.sql() if predicate else "",
        uses=index.uses | columns_in(predicate, relation.columns, relation.name.name),
        definition=tree.sql(),
    )


def keyed(relation: Relation, elements: tuple[Tree, ...], includes: list[str]) -> Index:
    """Return an index over these keys, each of them an IndexElem. Raises Refused for a column that is not there."""
    expressions = [_expression(one) for one in elements]
    plain = [one.text("name") for one in elements]
    columns = [name or _plain_column(node, relation) for name, node in zip(plain, expressions, strict=True)]
    uses = {name for name in (*columns, *includes) if name}
    if not uses <= relation.columns.keys():
        raise Refused("no such column")
    for node in expressions:
        uses |= columns_in(node, relation.columns, relation.name.name)
    labels = [name or (label_of(node) if node else "") or "expr" for name, node in zip(plain, expressions, strict=True)]
    return Index(
        name="",
        columns=tuple(columns),
        uses=frozenset(uses),
        collations=tuple(
            collation_of(one, "collation") or _collation_within(node)
            for one, node in zip(elements, expressions, strict=True)
        ),
        operator_classes=tuple(_operator_class(one) for one in elements),
        expressions=tuple(node.sql() for name, node in zip(columns, expressions, strict=True) if node and not name),
        includes=tuple(includes),
        labels=tuple(index_columns([*labels, *includes])),
    )


def _operator_class(element: Tree) -> str:
    """Return the operator class that is written, "" where it is the one that is taken anyway."""
    written = dotted_name(element.each("opclass"))
    return "" if written in _USUAL_CLASSES else written


def _expression(element: Tree) -> Tree | None:
    return None if element.text("name") else element.get("expr")


def _collation_within(node: Tree | None) -> str:
    """Return the collation that is written inside an expression, which decides how it is sorted."""
    clauses = (one for one in node.walk() if one.tag == "CollateClause") if node else ()
    return collation_of(next(iter(clauses), None))


def _plain_column(node: Tree | None, relation: Relation) -> str:
    """Return the column of `((a))`, which is no expression to the server."""
    if node and node.tag == "CollateClause":
        node = node.get("arg")
    name = node.each("fields")[-1].text("sval") if node and node.tag == "ColumnRef" else ""
    return name if name in relation.columns else ""


def chosen_name(schema: Schema, table: Name, index: Index, kind: ConstraintKind | None = None) -> str:
    """Return the name that an index gets when none is written."""
    label = _LABELS[kind] if kind else "idx"
    middle = "" if kind is ConstraintKind.PRIMARY_KEY else joined(index.labels)
    return relation_name(schema, table.schema, table.name, middle, label, constraint=kind is not None)


def require_key_columns(relation: Relation, index: Index) -> None:
    """Raise Refused for a unique index of a partitioned table that leaves out a column of the partition key."""
    if relation.kind is Kind.PARTITIONED and not relation.partition_columns <= set(index.columns):
        raise Refused("without the partition key")


def add_index(
    schema: Schema, table: Name, index: Index, constraint: Constraint | None = None, *, only: bool = False
) -> Schema:
    """Return the schema with an index, the constraint that it carries, and its parts on all partitions."""
    if is_relation(schema, Name(table.schema, index.name)):
        raise Refused(index.name)
    relation = with_index(current(schema, table), index)
    if index.is_unique:
        require_key_columns(relation, index)
    if constraint and constraint.kind is ConstraintKind.PRIMARY_KEY and primary_key(relation):
        raise Refused("two primary keys")
    if constraint:
        relation = with_constraint(relation, constraint)
    schema = schema.having(relation)
    for partition in () if only else tuple(schema.partitions(table)):
        schema = ensure_part(schema, partition.name, Name(table.schema, index.name), index, constraint)
    return schema


def primary_key(relation: Relation) -> Constraint | None:
    """Return the primary key of a table."""
    return next((one for one in relation.constraints.values() if one.kind is ConstraintKind.PRIMARY_KEY), None)


def ensure_part(schema: Schema, partition: Name, parent: Name, index: Index, constraint: Constraint | None) -> Schema:
    """Return the schema in which a partition has its part of an index: one that fits and is free, or a new one."""
    relation = current(schema, partition)
    if relation.kind is Kind.FOREIGN:
        return schema
    for own in relation.indexes.values():
        carried = next((one for one in relation.constraints.values() if one.index == own.name), None)
        if own.parent is None and _fits(own, index) and (carried and carried.kind) == (constraint and constraint.kind):
            relation = with_index(relation, replace(own, parent=parent))
            if carried:
                relation = with_constraint(relation, replace(carried, is_inherited=True))
            return schema.having(relation)
    name = chosen_name(schema, partition, index, constraint.kind if constraint else None)
    part = replace(index, name=name, parent=parent, is_valid=True, definition="")
    carried = replace(constraint, name=name, index=name, is_inherited=True) if constraint else None
    return add_index(schema, partition, part, carried)


def _fits(own: Index, wanted: Index) -> bool:
    """True when an index is the same as another but for its name (CompareIndexInfo)."""
    return own.is_valid and _shape(own) == _shape(wanted)


def _shape(index: Index) -> tuple[object, ...]:
    return (
        index.method, index.is_unique, index.columns, index.expressions, frozenset(index.includes), index.predicate,
        index.collations, index.operator_classes,
    )  # fmt: skip


def attach_index(schema: Schema, tree: Tree) -> Schema:
    """ALTER INDEX parent ATTACH PARTITION part. The parent becomes valid with the last part."""
    table, index = require_index(schema, tree.relation())
    command = tree.each("cmds")[0].get("def_")
    part_table, part = require_index(schema, command.relation("name") if command else "")
    if part_table.partition_of != table.name:
        raise Refused(part.name)
    parent = Name(table.name.schema, index.name)
    relation = with_index(part_table, replace(part, parent=parent))
    schema = schema.having(relation)
    return validate_parent(schema, table.name, index.name)


def validate_parent(schema: Schema, table: Name, name: str) -> Schema:
    """Return the schema in which an index of a partitioned table is valid when every partition has a valid part."""
    relation = current(schema, table)
    parent = Name(table.schema, name)
    parts = [[own for own in one.indexes.values() if own.parent == parent] for one in schema.partitions(table)]
    if not all(part and part[0].is_valid for part in parts):
        return schema
    schema = schema.having(with_index(relation, replace(relation.indexes[name], is_valid=True)))
    above = relation.indexes[name].parent
    if above and relation.partition_of:
        return validate_parent(schema, relation.partition_of, above.name)
    return schema
