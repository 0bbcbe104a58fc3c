"""Whether the CHECKs of a table say already what the bound of a partition says: then its rows are not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.locks.sql import expression
from checks.model import Constraint, ConstraintKind, Kind, Relation
from checks.names import quote
from checks.tree import Tree

Fact = tuple[str, str, str]  # column, operator, constant as SQL
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


def checks_of(table: Relation) -> tuple[Constraint, ...]:
    """Return the valid CHECKs of a table."""
    return tuple(one for one in table.constraints.values() if one.kind is ConstraintKind.CHECK and one.is_valid)


def bound_is_implied(table: Relation, parent: Relation, bound: Tree | None) -> bool:
    """Tell whether no row can be against a bound.

    Only what is plain is seen: one column as the key, and a condition with the same constants. A table that holds no
    rows itself has nothing to be read.
    """
    if table.kind is not Kind.TABLE:
        return True
    if bound is None or len(parent.partition_columns) != 1 or bound.flag("is_default"):
        return False
    column = next(iter(parent.partition_columns))
    facts = set(_facts(checks_of(table)))
    own = table.columns.get(column)
    holds_null = (own is None or own.is_nullable) and (column, "not null", "") not in facts
    if quote(column) != _key(parent) or holds_null:
        return False
    wanted = _wanted(bound, column)
    return wanted is not None and wanted <= facts


def _key(parent: Relation) -> str:
    """Return what stands in the brackets of PARTITION BY: an expression is not seen through."""
    return parent.partition_key.partition("(")[2].rpartition(")")[0].strip()


def _wanted(bound: Tree, column: str) -> set[Fact] | None:
    lower, upper, listed = bound.each("lowerdatums"), bound.each("upperdatums"), bound.each("listdatums")
    if len(listed) == 1:
        return {(column, "=", _constant(listed[0]))}
    if len(lower) == len(upper) == 1:
        found = {(column, operator, _constant(one)) for one, operator in ((lower[0], ">="), (upper[0], "<"))}
        return found if all(constant for _, _, constant in found) else None
    return None


def _constant(node: Tree) -> str:
    while node.tag == "TypeCast" and (inner := node.get("arg")) is not None:
        node = inner
    return node.sql() if node.tag == "A_Const" else ""


def _facts(checks: Iterable[Constraint]) -> Iterator[Fact]:
    for check in checks:
        tree = expression(check.expression)
        waiting = [tree] if tree is not None else []
        while waiting:
            node = waiting.pop()
            if node.tag == "BoolExpr" and node.enum("boolop") == "AND_EXPR":
                waiting.extend(node.each("args"))
            elif node.tag == "NullTest" and node.enum("nulltesttype") == "IS_NOT_NULL":
                yield _column(node.get("arg")), "not null", ""
            elif node.tag == "A_Expr" and node.enum("kind") == "AEXPR_OP":
                yield from _comparison(node)


def _comparison(node: Tree) -> Iterator[Fact]:
    left, right, names = node.get("lexpr"), node.get("rexpr"), node.each("name")
    if left is None or right is None or not names:
        return
    operator = names[-1].text("sval")
    if _column(left):
        yield _column(left), operator, _constant(right)
    elif _column(right) and operator in _TURNED:
        yield _column(right), _TURNED[operator], _constant(left)


def _column(node: Tree | None) -> str:
    fields = node.each("fields") if node is not None and node.tag == "ColumnRef" else ()
    return fields[-1].text("sval") if fields else ""
