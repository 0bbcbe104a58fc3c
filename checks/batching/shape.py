"""Where in a statement the rows of a table come from, if each of them comes exactly once: there a range is added."""

from __future__ import annotations

from collections.abc import Iterator

from checks.names import parts, unqualified
from checks.tree import Tree

ALLOWED = "only UPDATE, DELETE and INSERT … SELECT can be batched"
# Of a SELECT: what looks at all rows together, so that a part of them gives another answer.
_WHOLE = {
    "groupClause": "GROUP BY",
    "havingClause": "HAVING",
    "distinctClause": "DISTINCT",
    "windowClause": "WINDOW",
    "limitCount": "LIMIT",
    "limitOffset": "OFFSET",
    "sortClause": "ORDER BY",
    "valuesLists": "VALUES",
}
AGGREGATES = frozenset(
    """
    any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every
    json_agg json_agg_strict json_arrayagg json_object_agg json_object_agg_strict json_object_agg_unique jsonb_agg
    jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique max min range_agg
    range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_QUERIES = frozenset({"SelectStmt", "SubLink", "RangeSubselect", "CommonTableExpr"})


def batched_range(tree: Tree, table: str) -> Tree | str:
    """Return the RangeVar whose rows are taken batch by batch, or in words why there is none."""
    if tree.tag in {"UpdateStmt", "DeleteStmt"}:
        relation = tree.get("relation")
        if relation is not None and is_same(relation.range_name(), table):
            return relation
        return f"it changes rows of {tree.relation()}, not of {table}: name the table that it changes"
    select = tree.get("selectStmt") if tree.tag == "InsertStmt" else None
    if select is None or select.each("valuesLists"):
        return ALLOWED
    if whole := next(_looks_at_all(select), ""):
        return f"its SELECT has {whole}, which looks at all rows together: select row by row"
    named = {one.text("ctename") for one in tree.walk() if one.tag == "CommonTableExpr"}
    found = [
        one
        for one in sources(select)
        if is_same(one.range_name(), table) and (one.text("schemaname") or one.text("relname") not in named)
    ]
    if len(found) != 1:
        return f"its SELECT must read {table} exactly once in FROM, and not where an outer join may leave it out"
    return found[0]


def is_same(written: str, table: str) -> bool:
    """True when two names as SQL can mean the same table: a name without a schema means any schema's."""
    if len(parts(written)) > 1 and len(parts(table)) > 1:
        return parts(written)[-2:] == parts(table)[-2:]
    return unqualified(written) == unqualified(table)


def sources(select: Tree) -> Iterator[Tree]:
    """Yield the RangeVars in FROM of which every row that is chosen has exactly one row: no nullable side of a join."""
    waiting = list(select.each("fromClause"))
    while waiting:
        one = waiting.pop(0)
        if one.tag == "RangeVar":
            yield one
        elif one.tag == "JoinExpr" and one.enum("jointype") in {"JOIN_INNER", "JOIN_LEFT"}:
            left, right = one.get("larg"), one.get("rarg")
            if left is not None and not one.get("alias"):
                waiting.append(left)
            if right is not None and one.enum("jointype") == "JOIN_INNER" and not one.get("alias"):
                waiting.append(right)


def own_nodes(tree: Tree) -> Iterator[Tree]:
    """Yield the nodes of a query that are its own, without those of queries inside it."""
    waiting = list(tree.below())
    while waiting:
        one = waiting.pop()
        if one.tag not in _QUERIES:
            yield one
            waiting.extend(one.below())


def is_aggregate(call: Tree) -> bool:
    """True for a call of an aggregate or window function, as far as the text shows it."""
    if any(call.flag(name) for name in ("agg_star", "agg_distinct", "agg_within_group")):
        return True
    if call.get("over") or call.get("agg_filter") or call.each("agg_order"):
        return True
    names = [part.text("sval") for part in call.each("funcname")]
    return bool(names) and names[-1] in AGGREGATES and "".join(names[:-1]) in {"", "pg_catalog"}


def _looks_at_all(select: Tree) -> Iterator[str]:
    """Yield what in a SELECT gives another answer for a part of the rows."""
    if select.enum("op") not in {"", "SETOP_NONE"}:
        yield "UNION, INTERSECT or EXCEPT"
    yield from (words for name, words in _WHOLE.items() if select.get(name) is not None)
    for node in own_nodes(select):
        if node.tag == "FuncCall" and is_aggregate(node):
            yield node.dotted("funcname") + "()"
        elif node.tag in {"JsonObjectAgg", "JsonArrayAgg"}:
            yield "an aggregate"
