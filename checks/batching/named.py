"""How many rows a condition can mean that compares a key with constants."""

from __future__ import annotations

from checks.batching.keys import keys_of
from checks.model import Relation
from checks.tree import Tree


def rows_named(condition: Tree | None, use: Tree | None, relation: Relation, *, is_alone: bool) -> int | None:
    """Return how many rows a condition names by a key, as in `id = 5` and `id IN (1, 2)`; None if it does not.

    `use` is where the statement names the table, and it `is_alone` when no other table is there, so that a bare name is
    a column of this one.
    """
    counted: dict[str, int] = {}
    alias = use.get("alias") if use else None
    name = alias.text("aliasname") if alias else relation.name.name
    for arm in _arms(condition):
        column, values = _compared(arm, {(), (name,)} if is_alone else {(name,)})
        if column and values is not None:
            counted[column] = min(values, counted.get(column, values))
    most: int | None = None
    for key in keys_of(relation):
        if set(key) <= set(counted):
            product = 1
            for column in key:
                product *= counted[column]
            most = product if most is None else min(most, product)
    return most


def _arms(condition: Tree | None) -> tuple[Tree, ...]:
    if condition is None:
        return ()
    is_and = condition.tag == "BoolExpr" and condition.enum("boolop") == "AND_EXPR"
    return condition.each("args") if is_and else (condition,)


def _compared(arm: Tree, tables: set[tuple[str, ...]]) -> tuple[str, int | None]:
    """Return the column that a condition compares with constants, and how many values it may have then.

    `tables` are the ways to name the table of the column before it.
    """
    left, right = arm.get("lexpr"), arm.get("rexpr")
    if arm.tag != "A_Expr" or left is None or right is None or left.tag != "ColumnRef":
        return "", None
    *before, column = (part.text("sval") for part in left.each("fields"))
    if tuple(before) not in tables:
        return "", None
    operator = arm.each("name")[-1].text("sval")
    match arm.enum("kind"), operator:
        case "AEXPR_OP", "=" if _is_constant(right):
            return column, 1
        case "AEXPR_IN", "=" if all(map(_is_constant, right.items())):
            return column, len(right.items())
        case "AEXPR_BETWEEN", _:
            ends = [_whole(one) for one in right.items()]
            if len(ends) == 2 and ends[0] is not None and ends[1] is not None:  # noqa: PLR2004 - from and to
                return column, max(0, ends[1] - ends[0] + 1)
    return "", None


def _is_constant(value: Tree) -> bool:
    while value.tag == "TypeCast" and (inner := value.get("arg")) is not None:
        value = inner
    return value.tag == "A_Const"


def _whole(value: Tree) -> int | None:
    constant = value.get("val") if value.tag == "A_Const" else None
    return int(value.sql()) if constant is not None and constant.tag == "Integer" else None
