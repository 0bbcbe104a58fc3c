"""CREATE TABLE in its forms: of columns, as a partition, inheriting, like another, of a type, foreign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from checks.model.edit import Refused, current, new_name, require, with_constraint
from checks.model.expressions import columns_in
from checks.model.relations import Column, ConstraintKind, Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps.columns import Read, Wanted, make_sequence, read_column, wanted
from checks.model.steps.constraints import add_constraint
from checks.model.steps.like import copy_columns, copy_rest
from checks.model.steps.not_null import forbid_null, not_null_on
from checks.model.steps.partitions import bound_of, take_shares
from checks.model.types import data_type
from checks.tree import Tree

_KEYS = frozenset({"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"})


@dataclass(slots=True)
class _Plan:
    """What the elements of a CREATE TABLE ask for, in the order written."""

    columns: dict[str, Column] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    not_null: list[Wanted | str] = field(default_factory=list)  # asked for, or of a column that comes with it
    likes: list[tuple[Name, int]] = field(default_factory=list)
    is_logged: bool = True


def create_table(schema: Schema, tree: Tree) -> Schema:
    """CREATE TABLE and CREATE FOREIGN TABLE."""
    is_foreign = tree.tag == "CreateForeignTableStmt"
    tree = tree.get("base") or tree
    relation = tree.get("relation")
    if relation is None:
        return schema
    name = new_name(schema, relation)
    parents = [require(schema, one.range_name()) for one in tree.each("inhRelations")]
    bound, spec = tree.get("partbound"), tree.get("partspec")
    is_logged = relation.text("relpersistence") != "u"
    plan = _Plan(
        columns=_inherited(parents, is_partition=bound is not None) | _of_type(tree, schema), is_logged=is_logged
    )
    schema = _read_elements(schema, name, tree, plan)
    kind = Kind.FOREIGN if is_foreign else Kind.PARTITIONED if spec else Kind.TABLE
    made = Relation(
        name,
        kind,
        plan.columns,
        # IF NOT EXISTS may have found a table that nobody knows of here: that one is not new.
        made_in=0 if tree.flag("if_not_exists") and not schema.is_complete else schema.script,
        partition_key=spec.sql() if spec else "",
        partition_columns=columns_in_key(spec, plan.columns),
        partition_of=parents[0].name if bound else None,
        bound=bound_of(bound) if bound else "",
        inherits=() if bound else tuple(one.name for one in parents),
        is_logged=is_logged,
        access_method=tree.text("accessMethod"),
    )
    schema = _with_inherited_constraints(schema.having(made), name, parents)
    if bound:
        schema = take_shares(schema, name, parents[0].name)
    return _all_valid(_with_constraints(schema, name, plan), name)


def _all_valid(schema: Schema, name: Name) -> Schema:
    """Of a new table every constraint holds: there NOT VALID says nothing."""
    made = schema.relations[name]
    valid = {key: replace(one, is_valid=one.is_enforced) for key, one in made.constraints.items()}
    return schema.having(replace(made, constraints=valid)) if valid != made.constraints else schema


def columns_in_key(spec: Tree | None, columns: dict[str, Column]) -> frozenset[str]:
    """Return the columns that a PARTITION BY names, in expressions too."""
    found: frozenset[str] = frozenset()
    for one in spec.each("partParams") if spec else ():
        found |= frozenset({one.text("name")} - {""}) | columns_in(one.get("expr"), columns)
    return found


def _inherited(parents: list[Relation], *, is_partition: bool) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for parent in parents:
        for name, column in parent.columns.items():
            copy = replace(column, is_local=False, is_identity=column.is_identity and is_partition)
            columns.setdefault(name, copy)
    return columns


def _of_type(tree: Tree, schema: Schema) -> dict[str, Column]:
    kind = tree.get("ofTypename")
    if kind is None:
        return {}
    named = data_type(kind, schema)
    found = schema.relations.get(Name(named.schema, named.name))
    if found is None:
        raise Refused(named.name)
    return dict(found.columns)


def _read_elements(schema: Schema, name: Name, tree: Tree, plan: _Plan) -> Schema:
    for element in tree.each("tableElts"):
        if element.tag == "ColumnDef":
            base = plan.columns.get(element.text("colname"))
            if base and base.is_local and not tree.get("ofTypename"):
                raise Refused(base.name)  # written twice
            found = read_column(element, schema, base)
            schema, found = make_sequence(schema, name, found, is_logged=plan.is_logged)
            _take(plan, found, is_partition=tree.get("partbound") is not None)
        elif element.tag == "Constraint":
            asked = wanted(element)
            (plan.not_null if asked.kind == "CONSTR_NOTNULL" else plan.wanted).append(asked)
        elif element.tag == "TableLikeClause":
            source = require(schema, element.relation())
            options = element.number("options")
            schema = copy_columns(schema, name, source, options, plan.columns, is_logged=plan.is_logged)
            plan.likes.append((source.name, options))
    return schema


def _take(plan: _Plan, found: Read, *, is_partition: bool) -> None:
    column = replace(found.column, is_local=not is_partition)
    plan.columns[column.name] = column
    plan.wanted.extend(one for one in found.wanted if one.kind != "CONSTR_NOTNULL")
    written = [one for one in found.wanted if one.kind == "CONSTR_NOTNULL"]
    brings_it = found.forbids_null or any(one.kind == "CONSTR_PRIMARY" for one in found.wanted)
    plan.not_null.extend(written or ([column.name] if brings_it else []))


def _with_inherited_constraints(schema: Schema, name: Name, parents: list[Relation]) -> Schema:
    for parent in parents:
        for constraint in parent.constraints.values():
            if constraint.is_no_inherit:
                continue
            if constraint.kind is ConstraintKind.CHECK:
                copy = replace(constraint, is_inherited=True)
                schema = schema.having(with_constraint(current(schema, name), copy))
            elif constraint.kind is ConstraintKind.NOT_NULL:
                schema = forbid_null(
                    schema, name, constraint.columns[0], name=constraint.name, is_valid=constraint.is_valid,
                    is_inherited=True,
                )  # fmt: skip
    return schema


def _with_constraints(schema: Schema, name: Name, plan: _Plan) -> Schema:
    """Add constraints in the order in which the server does, on which the names it chooses depend."""
    for one in _of(plan, "CONSTR_CHECK"):
        schema = add_constraint(schema, name, one)
    for asked in plan.not_null:
        schema = forbid_null(schema, name, asked) if isinstance(asked, str) else add_constraint(schema, name, asked)
    for like, _ in plan.likes:
        schema = _like_not_null(schema, name, like)
    for one in without_repeated(key for key in plan.wanted if key.kind in _KEYS):
        schema = add_constraint(schema, name, one)
    for like, options in plan.likes:
        schema = copy_rest(schema, name, like, options)
    for one in _of(plan, "CONSTR_FOREIGN"):
        schema = add_constraint(schema, name, one)
    return schema


def without_repeated(asked: Iterable[Wanted]) -> list[Wanted]:
    """Return keys, the primary one first, without those that ask for the same again (transformIndexConstraints).

    The first of equal ones stays, with the name that any of them gives.
    """
    kept: list[Wanted] = []
    for key in sorted(asked, key=lambda one: one.kind != "CONSTR_PRIMARY"):
        equal = next((place for place, one in enumerate(kept) if _shape(one) == _shape(key)), None)
        if equal is None or key.kind == "CONSTR_EXCLUSION":
            kept.append(key)
        elif not kept[equal].name:
            kept[equal] = replace(kept[equal], name=key.name)
        elif key.name:
            kept.append(key)
    return kept


def _shape(key: Wanted) -> tuple[object, ...]:
    node = key.node
    lists = [tuple(part.text("sval") for part in node.each(one)) for one in ("keys", "including")]
    flags = ("nulls_not_distinct", "deferrable", "initdeferred", "without_overlaps")
    return (lists[0] or (key.column,), lists[1], *map(node.flag, flags))


def _like_not_null(schema: Schema, name: Name, like: Name) -> Schema:
    """NOT NULL comes with LIKE, whatever else is included."""
    source = current(schema, like)
    for column in source.columns:
        held = not_null_on(source, column)
        if held:
            schema = forbid_null(
                schema, name, column, name=held.name, is_valid=held.is_valid, is_no_inherit=held.is_no_inherit
            )
    return schema


def _of(plan: _Plan, kind: str) -> Iterator[Wanted]:
    return (one for one in plan.wanted if one.kind == kind)
