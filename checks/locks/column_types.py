"""ALTER COLUMN TYPE: what it does to the rows, the indexes, the constraints and the tables at their other ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.locks.altering import Altering
from checks.locks.casts import Cost, conversion, fits_method, group, operators
from checks.locks.columns import is_computed_from
from checks.locks.peers import (
    foreign_keys,
    keys_on,
    lock_referenced,
    owned_sequences,
    policies_using,
    users_of,
    uses_column,
)
from checks.locks.sql import expression
from checks.locks.values import Mode, Work
from checks.model import Column, ConstraintKind, DataType, Index, Kind, Relation, Schema
from checks.model.types import data_type
from checks.names import quote
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a column: its new type and collation, and what that costs the rows."""

    new: DataType
    collation: str
    cost: Cost


def alter_type(a: Altering, command: Tree) -> None:
    """ALTER COLUMN TYPE (lint.md, section 5)."""
    g, name, definition = a.gathering, command.text("name"), command.get("def_")
    if definition is None:
        return
    if not a.has_column(name):
        g.fail_if_sure(f"there is no column {quote(name)} in {a.relation.name}")
        return
    new, using = data_type(definition.get("typeName"), g.schema), definition.get("raw_default")
    collation = definition.get("collClause")
    for table in a.tables:
        column = table.columns.get(name)
        if column is None:
            g.work(table, maybe={Work.REWRITE})
            g.miss(f"the type that {table.name}.{quote(name)} has now")
            continue
        _refusals(a, table, column, new, using)
        cost = _cost(column, new, using, g.schema)
        if cost is Cost.REFUSED:
            g.fail_if_sure(f"{quote(name)} has a type that cannot be cast to this one without USING")
            cost = Cost.MAYBE
        if cost is Cost.REWRITE:
            g.work(table, Work.REWRITE)
        elif cost is Cost.MAYBE:
            g.work(table, maybe={Work.REWRITE})
        if using is not None and group(column.type, g.schema) == "text":
            g.may_fail(f"fails when a value of {quote(name)} cannot be cast")
        _dependants(a, table, column, Change(new, collation.dotted("collname") if collation else "", cost))


def _cost(column: Column, new: DataType, using: Tree | None, schema: Schema) -> Cost:
    """Return what turns the stored values into the new type; `using` says how, where it is written."""
    steps: list[DataType] = []
    while using is not None and using.tag in {"TypeCast", "CollateClause"}:
        if using.tag == "TypeCast":
            steps.append(data_type(using.get("typeName"), schema))
        using = using.get("arg")
    if using is not None and not (using.tag == "ColumnRef" and using.each("fields")[-1].text("sval") == column.name):
        return Cost.REWRITE
    kind, worst = column.type, Cost.NOTHING
    for step, explicit in (*((one, True) for one in reversed(steps)), (new, False)):
        cost = conversion(kind, step, schema, explicit=explicit)
        if cost in {Cost.REWRITE, Cost.REFUSED}:
            return cost
        worst = cost if cost is Cost.MAYBE else worst
        kind = step
    return worst


def _refusals(a: Altering, table: Relation, column: Column, new: DataType, using: Tree | None) -> None:
    """Say why the server will not do it, where that is known."""
    g, name = a.gathering, quote(column.name)
    if column.name in table.partition_columns:
        g.fail_if_sure(f"{table.name} is divided by {name}")
    if not column.is_local and table.name == a.relation.name:
        g.fail_if_sure(f"{name} comes from the parent of {table.name}")
    _refuse_users(a, table, column.name)
    if is_computed_from(table, column.name):
        g.fail_if_sure(f"a generated column of {table.name} is computed from {name}")
    has_default = column.default is not None and not column.generated and column.name not in a.loses_default
    if has_default and using is not None and _without_cast(column, new, g.schema):
        g.fail_if_sure(f"the default of {name} cannot be cast to the new type by itself: drop it first")
    _comparisons(a, table, column, new)


def _refuse_users(a: Altering, table: Relation, column: str) -> None:
    """A view, a policy or a column of the type that is changed keeps it as it is."""
    g = a.gathering
    for view in g.schema.readers(table.name):
        if uses_column(view, table, column):
            g.fail_if_sure(f"{view.name} reads {quote(column)}")
    for trigger in table.triggers_on(column):
        g.fail_if_sure(f"the trigger {quote(trigger)} of {table.name} names {quote(column)}")
    for policy in policies_using(table, column):
        g.fail_if_sure(f"the policy {quote(policy)} of {table.name} names {quote(column)}")
    for user, used in users_of(g.schema, table) if table.kind is Kind.COMPOSITE else ():
        g.fail_if_sure(f"{quote(used)} of {user.name} is of this type")


def _compared(table: Relation, column: str) -> Iterator[tuple[str, Tree]]:
    """Yield what compares a column with a constant that is written: the name of the condition, and the constant."""
    conditions = [(one.name, one.expression) for one in table.constraints.values() if one.kind is ConstraintKind.CHECK]
    conditions += [(one.name, one.predicate) for one in table.indexes.values() if one.predicate]
    for name, text in conditions:
        tree = expression(text)
        for node in tree.walk() if tree else ():
            left, right = node.get("lexpr"), node.get("rexpr")
            if node.tag != "A_Expr" or left is None or right is None:
                continue
            for one, other in ((left, right), (right, left)):
                if one.tag == "ColumnRef" and one.each("fields")[-1].text("sval") == column:
                    yield from ((name, each) for each in (other.items() or (other,)) if each.tag == "A_Const")


_NOT_A_STRING = "no operator compares the new type with the constant in {name}"


def _comparisons(a: Altering, table: Relation, column: Column, new: DataType) -> None:
    """A condition keeps its constants when the column changes: those of another kind cannot be compared any more."""
    for name, constant in _compared(table, column.name):
        value = constant.get("val")
        is_number = value is not None and value.tag in {"Integer", "Float"}
        is_text = value is not None and value.tag == "String"
        was, will = group(column.type, a.gathering.schema), group(new, a.gathering.schema)
        # A varchar is compared as text, by a cast that stays and takes the new type as well.
        is_kept = column.type.name == "varchar"
        if name not in a.drops and (
            (is_number and will in {"text", "user"}) or (is_text and was != will and not is_kept)
        ):
            a.gathering.fail_if_sure(_NOT_A_STRING.format(name=quote(name)))


def _without_cast(column: Column, new: DataType, schema: Schema) -> bool:
    return conversion(column.type, new, schema) is Cost.REFUSED


def _dependants(a: Altering, table: Relation, column: Column, change: Change) -> None:
    """What is made anew when a column changes: indexes, conditions, foreign keys at both ends."""
    g = a.gathering
    differs = operators(column.type, g.schema) != operators(change.new, g.schema)
    is_moved = differs or _collation(column.collation) != _collation(change.collation)
    for index in table.indexes.values():
        if column.name in index.columns and not fits_method(index, change.new, g.schema):
            g.fail_if_sure(f"the index {quote(index.name)} has no operators for the new type")
        is_part = a.relation.kind is Kind.PARTITIONED and index.parent is not None  # none is kept for those
        if column.name in index.uses and (is_part or _is_built_anew(index, column.name, is_moved=is_moved)):
            g.work(table, Work.BUILD)
    for constraint in table.constraints.values():
        is_check = constraint.kind is ConstraintKind.CHECK and constraint.is_valid and constraint.is_enforced
        if is_check and column.name in constraint.columns and constraint.name not in a.drops:
            g.work(table, Work.SCAN)
    _keys(a, table, column, change.cost, differs=differs)
    for sequence in owned_sequences(g.schema, table.name, column.name) if column.is_identity else ():
        g.lock(sequence, Mode.SHARE_ROW_EXCLUSIVE, because=f"it gives {quote(column.name)} its values")


def _keys(a: Altering, table: Relation, column: Column, cost: Cost, *, differs: bool) -> None:
    """Foreign keys are trusted only where neither the rows nor the operators that compare them change."""
    g, because = a.gathering, f"a foreign key between it and {table.name} is made anew"
    sure = (Work.KEY_CHECK,) if differs or cost is Cost.REWRITE else ()
    perhaps = {Work.KEY_CHECK} if cost is Cost.MAYBE else set()
    for key in foreign_keys(table):
        if column.name in key.columns and key.name not in a.drops:
            lock_referenced(g, key, Mode.ACCESS_EXCLUSIVE, because, is_named=False)
            lock_referenced(g, key, Mode.SHARE_ROW_EXCLUSIVE, because)
            if key.is_valid and key.is_enforced:
                g.work(table, *sure, maybe=perhaps)
    for child, key in keys_on(g.schema, table, (column.name,)):
        g.lock(child, Mode.ACCESS_EXCLUSIVE, because=because)
        if key.is_valid and key.is_enforced:
            g.work(child, *sure, maybe=perhaps)


def _collation(name: str) -> str:
    return "" if name in {"default", "pg_catalog.default", '"default"', 'pg_catalog."default"'} else name


def _is_built_anew(index: Index, column: str, *, is_moved: bool) -> bool:
    """Tell whether an index cannot stay: another order of the values, or an expression that must be read again."""
    if index.predicate or index.expressions or "" in index.columns:
        return True
    return is_moved and column in index.columns
