"""What an expression tells: the columns it names, the columns it proves to hold no null, the name it gives an index."""

from __future__ import annotations

from collections.abc import Container, Iterable

from checks.tree import Tree


def columns_in(expression: Tree | None, columns: Iterable[str], table: str = "") -> frozenset[str]:
    """Return those of a table's columns that an expression names. The table's own name means all of them."""
    if expression is None:
        return frozenset()
    known = frozenset(columns)
    found: set[str] = set()
    for node in expression.walk():
        if node.tag == "ColumnRef":
            fields = node.each("fields")
            last = fields[-1].text("sval")
            if last in known:
                found.add(last)
            elif fields[-1].tag == "A_Star" or last == table:
                found |= known
    return frozenset(found)


def not_null_in(expression: Tree | None, columns: Container[str]) -> frozenset[str]:
    """Return the columns that hold no null wherever the condition is true: `a IS NOT NULL AND …`."""
    found: set[str] = set()
    waiting = [expression] if expression else []
    while waiting:
        node = waiting.pop()
        if node.tag == "BoolExpr" and node.enum("boolop") == "AND_EXPR":
            waiting.extend(node.each("args"))
        elif node.tag == "NullTest" and node.enum("nulltesttype") == "IS_NOT_NULL":
            found |= _column(node.get("arg"), columns)
        elif node.tag == "BoolExpr" and node.enum("boolop") == "NOT_EXPR":
            inner = node.each("args")[0]
            if inner.tag == "NullTest" and inner.enum("nulltesttype") == "IS_NULL":
                found |= _column(inner.get("arg"), columns)
    return frozenset(found)


def _column(node: Tree | None, columns: Container[str]) -> set[str]:
    name = node.each("fields")[-1].text("sval") if node and node.tag == "ColumnRef" else ""
    return {name} if name in columns else set()


_FIXED = {
    "GroupingFunc": "grouping", "A_ArrayExpr": "array", "RowExpr": "row", "CoalesceExpr": "coalesce",
    "XmlSerialize": "xmlserialize",
}  # fmt: skip
_PREFIXES = {"MinMaxExpr": "IS_", "SQLValueFunction": "SVFOP_", "XmlExpr": "IS_"}
_NAMES = {"ColumnRef": "fields", "FuncCall": "funcname", "A_Indirection": "indirection"}
_INSIDE = {"TypeCast": "arg", "CollateClause": "arg", "A_Indirection": "arg", "CaseExpr": "defresult"}


def label_of(expression: Tree) -> str:
    """Return the name that an unnamed column of this expression gets (FigureIndexColname), or ""."""
    weak = ""  # from the casts and the CASE around it: taken when nothing inside has a name of its own
    node: Tree | None = expression
    while node is not None:
        if strong := _own_label(node):
            return strong
        if node.tag == "TypeCast":
            kind = node.get("typeName")
            weak = weak or (kind.each("names")[-1].text("sval") if kind else "")
        elif node.tag == "CaseExpr":
            weak = weak or "case"
        node = _inside(node)
    return weak


def _inside(node: Tree) -> Tree | None:
    """Return the part of an expression that names it, when it does not do so itself."""
    if node.tag == "SubLink" and node.enum("subLinkType") == "EXPR_SUBLINK":
        query = node.get("subselect")
        targets = query.each("targetList") if query else ()
        return targets[0] if targets else None
    if node.tag == "ResTarget":
        return node.get("val")
    return node.get(_INSIDE[node.tag]) if node.tag in _INSIDE else None


def _own_label(node: Tree) -> str:
    """Return the name that a node gives, whatever is inside it, or ""."""
    if node.tag in _NAMES:
        names = [part.text("sval") for part in node.each(_NAMES[node.tag]) if part.text("sval")]
        return names[-1] if names else ""
    if node.tag == "A_Expr" and node.enum("kind") == "AEXPR_NULLIF":
        return "nullif"
    if node.tag in _PREFIXES:
        return node.enum("op").removeprefix(_PREFIXES[node.tag]).lower().removesuffix("_n")
    if node.tag == "SubLink":
        return {"EXISTS_SUBLINK": "exists", "ARRAY_SUBLINK": "array"}.get(node.enum("subLinkType"), "")
    return node.text("name") if node.tag == "ResTarget" else _FIXED.get(node.tag, "")
