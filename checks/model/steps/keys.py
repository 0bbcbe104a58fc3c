"""PRIMARY KEY, UNIQUE and EXCLUDE: constraints that an index carries."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, current, renamed, with_constraint
from checks.model.expressions import columns_in
from checks.model.relations import Constraint, ConstraintKind, Index, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import Wanted
from checks.model.steps.indexes import add_index, chosen_name, keyed, primary_key
from checks.model.steps.not_null import forbid_null
from checks.names import qualified
from checks.tree import Tree

_KINDS = {
    "CONSTR_PRIMARY": ConstraintKind.PRIMARY_KEY,
    "CONSTR_UNIQUE": ConstraintKind.UNIQUE,
    "CONSTR_EXCLUSION": ConstraintKind.EXCLUSION,
}


def add_key(schema: Schema, table: Name, wanted: Wanted, *, only: bool) -> Schema:
    """Return the schema with the key that is asked for. Raises Refused where the server would."""
    node, kind, relation = wanted.node, _KINDS[wanted.kind], current(schema, table)
    if ready := node.text("indexname"):
        return _from_index(schema, relation, ready, wanted, kind)
    index = _index_for(relation, node, wanted.column, kind)
    if kind is ConstraintKind.PRIMARY_KEY:
        for column in index.columns:
            schema = forbid_null(schema, table, column, only=only)
    name = wanted.name or chosen_name(schema, table, index, kind)
    if name in relation.constraints:
        raise Refused(name)
    index = replace(index, name=name, is_unique=kind is not ConstraintKind.EXCLUSION)
    return add_index(schema, table, index, _carried(name, kind, index, wanted.timing), only=only)


def _carried(name: str, kind: ConstraintKind, index: Index, timing: str) -> Constraint:
    not_null = frozenset(index.columns) if kind is ConstraintKind.PRIMARY_KEY else frozenset()
    columns = tuple(one for one in index.columns if one)
    return Constraint(name, kind, columns=columns, not_null=not_null, index=name, timing=timing)


def _index_for(relation: Relation, node: Tree, column: str, kind: ConstraintKind) -> Index:
    """Return the index that a PRIMARY KEY, UNIQUE or EXCLUDE makes, without a name."""
    includes = [key.text("sval") for key in node.each("including")]
    if kind is ConstraintKind.EXCLUSION:
        predicate = node.get("where_clause")
        index = keyed(relation, tuple(pair.items()[0] for pair in node.each("exclusions")), includes)
        return replace(
            index,
            method=node.text("access_method") or "btree",
            predicate=predicate.sql() if predicate else "",
            uses=index.uses | columns_in(predicate, relation.columns, relation.name.name),
        )
    keys = tuple(key.text("sval") for key in node.each("keys")) or (column,)
    if not {*keys, *includes} <= relation.columns.keys():
        raise Refused("no such column")
    method = "gist" if node.flag("without_overlaps") else "btree"
    return Index(
        "", keys, frozenset({*keys, *includes}), method, collations=("",) * len(keys),
        operator_classes=("",) * len(keys), includes=tuple(includes), labels=(*keys, *includes),
    )  # fmt: skip


def _from_index(schema: Schema, relation: Relation, ready: str, wanted: Wanted, kind: ConstraintKind) -> Schema:
    """Return the schema in which an index built before carries a constraint; it takes the constraint's name."""
    index, name = relation.indexes.get(ready), wanted.name or ready
    if kind is ConstraintKind.PRIMARY_KEY and primary_key(relation):
        raise Refused("two primary keys")
    if index is None or not index.is_unique or not index.is_valid:
        raise Refused(ready)
    if kind is ConstraintKind.PRIMARY_KEY:
        for column in index.columns:
            schema = forbid_null(schema, relation.name, column)
        relation = current(schema, relation.name)
    if name in relation.constraints or (name != ready and schema.find_index(qualified(relation.name.schema, name))):
        raise Refused(name)
    made = replace(index, name=name)
    relation = replace(relation, indexes=renamed(relation.indexes, ready, name, made))
    return schema.having(with_constraint(relation, _carried(name, kind, made, wanted.timing)))
