"""The columns that a query gives, as far as its text and the schema tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from checks.model.expressions import label_of
from checks.model.relations import DataType
from checks.model.schema import Schema
from checks.model.types import UNTOLD, data_type
from checks.tree import Tree

_CONSTANTS = {"Integer": "int4", "Float": "numeric", "String": "text", "Boolean": "bool", "BitString": "bit"}
_RESULTS = {
    "count": "int8", "now": "timestamptz", "row_number": "int8", "rank": "int8", "lower": "text", "upper": "text",
    "concat": "text", "string_agg": "text", "length": "int4", "nextval": "int8", "gen_random_uuid": "uuid",
    "jsonb_build_object": "jsonb", "json_build_object": "json", "jsonb_agg": "jsonb", "json_agg": "json",
    "bool_and": "bool", "bool_or": "bool",
}  # fmt: skip
_MOST_LEVELS = 50  # of queries within queries; deeper ones are not told

Columns = Mapping[str, DataType]
Source = tuple[str, Columns | None]


@dataclass(frozen=True, slots=True)
class _Scope:
    """What names mean in one query. A source that is not known is None: then nothing can be told about `*`."""

    schema: Schema
    common: Mapping[str, Columns | None] = field(default_factory=dict)
    level: int = 0


def columns_of(query: Tree, schema: Schema) -> Columns | None:
    """Return the columns of a query's result with their types, or None where it cannot be told which there are."""
    return _columns(query, _Scope(schema))


def _columns(query: Tree, scope: _Scope) -> Columns | None:
    if scope.level > _MOST_LEVELS or query.tag != "SelectStmt":
        return None
    scope = _with_common(query, scope)
    if (left := query.get("larg")) and (right := query.get("rarg")):
        return _united(_columns(left, scope), _columns(right, scope))
    if rows := query.each("valuesLists"):
        return {f"column{place}": _type(one, (), scope) for place, one in enumerate(rows[0].items(), 1)}
    sources: list[Source] = []
    for item in query.each("fromClause"):
        sources.extend(_sources(item, scope))
    return _given(query, sources, scope)


def _united(left: Columns | None, right: Columns | None) -> Columns | None:
    """Return the columns of a UNION and its kind: named by the first query, of the type of both."""
    if left is None:
        return None
    others = list(right.values()) if right else []
    return {
        name: _common(kind, others[place]) if place < len(others) else UNTOLD
        for place, (name, kind) in enumerate(left.items())
    }


def _common(one: DataType, other: DataType) -> DataType:
    if one == other:
        return one
    return replace(one, modifiers=(), fields="") if (one.name, one.schema) == (other.name, other.schema) else UNTOLD


def _given(query: Tree, sources: Sequence[Source], scope: _Scope) -> Columns | None:
    """Return what the list after SELECT gives, or None where a `*` cannot be told."""
    found: dict[str, DataType] = {}
    for target in query.each("targetList"):
        value = target.get("val")
        if value is None:
            return None
        if value.tag == "ColumnRef" and value.each("fields")[-1].tag == "A_Star":
            every = _all_of(sources, value.each("fields")[:-1])
            if every is None:
                return None
            found |= {name: kind for name, kind in every.items() if name not in found}
        else:
            found[target.text("name") or label_of(value) or "?column?"] = _type(value, sources, scope)
    return found


def _all_of(sources: Sequence[Source], alias: tuple[Tree, ...]) -> dict[str, DataType] | None:
    """Return the columns behind `*` or `alias.*`, or None where one of the sources is not known."""
    found: dict[str, DataType] = {}
    for name, columns in sources:
        if alias and alias[-1].text("sval") != name:
            continue
        if columns is None:
            return None
        found |= {name: kind for name, kind in columns.items() if name not in found}
    return found


def _with_common(query: Tree, scope: _Scope) -> _Scope:
    common = dict(scope.common)
    clause = query.get("withClause")
    for one in clause.each("ctes") if clause else ():
        inner = one.get("ctequery")
        columns = _columns(inner, _Scope(scope.schema, common, scope.level + 1)) if inner else None
        common[one.text("ctename")] = _aliased(columns, one.each("aliascolnames"))
    return _Scope(scope.schema, common, scope.level + 1)


def _aliased(columns: Columns | None, names: tuple[Tree, ...]) -> Columns | None:
    if columns is None:
        return None
    return aliased(columns, names)


def aliased(columns: Columns, names: tuple[Tree, ...]) -> dict[str, DataType]:
    """Return columns under the names of a list, which may be shorter."""
    given = [one.text("sval") for one in names]
    old = list(columns)
    return {new: columns[name] for name, new in zip(old, [*given, *old[len(given) :]], strict=False)}


def _sources(item: Tree, scope: _Scope) -> Iterator[Source]:
    """Yield what one item of FROM brings, each with the name it is called by. Joins are taken apart in a loop."""
    waiting = [item]
    while waiting:
        node = waiting.pop()
        alias = node.get("alias")
        name = alias.text("aliasname") if alias else node.text("relname")
        names = alias.each("colnames") if alias else ()
        if node.tag == "JoinExpr":
            if node.each("usingClause") or node.flag("isNatural"):
                yield "", None  # `*` gives the shared columns once, in front
            waiting.extend(side for side in (node.get("rarg"), node.get("larg")) if side)
        elif node.tag == "RangeVar":
            yield name, _aliased(_table(node, scope), names)
        elif node.tag == "RangeSubselect":
            inner = node.get("subquery")
            yield name, _aliased(_columns(inner, scope) if inner else None, names)
        else:
            yield name, None


def _table(node: Tree, scope: _Scope) -> Columns | None:
    if not node.text("schemaname") and node.text("relname") in scope.common:
        return scope.common[node.text("relname")]
    found = scope.schema.find(node.range_name())
    if found is None or not found.columns:
        return None
    return {name: column.type for name, column in found.columns.items()}


def _type(value: Tree, sources: Sequence[Source], scope: _Scope) -> DataType:
    match value.tag:
        case "TypeCast":
            return data_type(value.get("typeName"), scope.schema)
        case "A_Const":
            constant = value.get("val")
            return DataType(_CONSTANTS.get(constant.tag, "text") if constant else "text")
        case "FuncCall":
            names = value.each("funcname")
            result = _RESULTS.get(names[-1].text("sval")) if len(names) == 1 else None
            return DataType(result) if result else UNTOLD
        case "ColumnRef":
            return _column_type([part.text("sval") for part in value.each("fields")], sources)
        case _:
            return UNTOLD


def _column_type(names: list[str], sources: Sequence[Source]) -> DataType:
    for alias, columns in sources:
        if columns and names[-1] in columns and (len(names) == 1 or names[-2] == alias):
            return columns[names[-1]]
    return UNTOLD
