"""Whether a condition of WHERE or ON excludes anything, as far as reading it can tell."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne

from checks.tree import Tree

# How many levels of AND, OR and NOT are followed.
_FOLLOWED = 100
_COMPARISONS = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def is_always_true(condition: Tree | None) -> bool:
    """True when a condition excludes nothing that can be told by reading it.

    Absent, TRUE, 1=1, x=x, NOT (1=2), `x IS NOT NULL` (most columns hold no null), and what AND, OR and NOT make of
    these. Too deep to follow is too deep to promise that a row is spared.
    """
    return condition is None or not _is_shallow(condition) or _truth(condition) is True


def _truth(condition: Tree) -> bool | None:
    """Return whether a condition holds for every row or for none; None when that depends on the row."""
    match condition.tag:
        case "A_Const":
            value = condition.get("val")
            return value.flag("boolval") if value is not None and value.tag == "Boolean" else None
        case "TypeCast":
            inner = condition.get("arg")
            return _truth(inner) if inner is not None else None
        case "NullTest":
            return condition.enum("nulltesttype") == "IS_NOT_NULL"
        case "BoolExpr":
            return _combined(condition.enum("boolop"), [_truth(arm) for arm in condition.each("args")])
        case "A_Expr":
            return _compared(condition)
        case _:
            return None


def _combined(operator: str, arms: list[bool | None]) -> bool | None:
    if operator == "NOT_EXPR":
        return None if arms[0] is None else not arms[0]
    # One arm of this truth decides, whatever the others are.
    decisive = operator == "OR_EXPR"
    if decisive in arms:
        return decisive
    return None if None in arms else not decisive


def _compared(condition: Tree) -> bool | None:
    left, right = condition.get("lexpr"), condition.get("rexpr")
    compare = _COMPARISONS.get(condition.each("name")[-1].text("sval"))
    if compare is None or condition.enum("kind") != "AEXPR_OP" or left is None or right is None:
        return None
    match _constant(left), _constant(right):
        case (int() | str()) as one, (int() | str()) as other if type(one) is type(other):
            return bool(compare(one, other))
    return bool(compare(0, 0)) if left.sql() == right.sql() != "" else None


def _constant(side: Tree) -> int | str | None:
    value = side.get("val") if side.tag == "A_Const" else None
    if value is None or value.tag not in {"Integer", "String"}:
        return None
    return value.text("sval") if value.tag == "String" else int(value.sql())


def _is_shallow(condition: Tree) -> bool:
    """True when the arms of AND, OR and NOT can be followed by recursion without exhausting the stack."""
    depth, level = 0, [condition]
    while level and depth <= _FOLLOWED:
        inner = [item.each("args") if item.tag == "BoolExpr" else _cast(item) for item in level]
        level = [arm for arms in inner for arm in arms]
        depth += 1
    return depth <= _FOLLOWED


def _cast(item: Tree) -> tuple[Tree, ...]:
    arg = item.get("arg") if item.tag == "TypeCast" else None
    return () if arg is None else (arg,)
