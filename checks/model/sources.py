"""Which relations a query reads, and which of their columns. Names are looked up as in SQL, from the inside out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from checks.model.edit import Refused
from checks.model.relations import Name, Relation
from checks.model.schema import Schema
from checks.names import split
from checks.tree import Tree

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_FROM = ("fromClause", "usingClause")


@dataclass(slots=True)
class _Level:
    """What the FROM of one query brings: tables by the name they are called, and whether there are queries too."""

    above: _Level | None
    common: frozenset[str]
    tables: dict[str, Relation] = field(default_factory=dict)
    has_queries: bool = False


def relations_read(query: Tree, schema: Schema) -> frozenset[Name]:
    """Return the relations that a query names, wherever in it. Raises Refused where one is known not to exist."""
    found = {name: schema.find(name) for name in _named_in(query)}
    if schema.is_certain and any(one is None and not _is_systems(name) for name, one in found.items()):
        raise Refused("no such relation")
    return frozenset(one.name for one in found.values() if one)


def columns_read(query: Tree, schema: Schema) -> dict[Name, frozenset[str]]:
    """Return the columns that a query names, of each relation it reads. `*` names all that are there now."""
    found: dict[Name, set[str]] = {name: set() for name in relations_read(query, schema)}
    waiting: list[tuple[Tree, _Level]] = [(query, _Level(None, frozenset()))]
    while waiting:
        node, level = waiting.pop()
        if node.tag in _QUERIES:
            above, level = level, _level(node, level, schema)
            waiting.extend(_common_queries(node, above))
        elif node.tag == "ColumnRef":
            _read_reference([part.text("sval") or "*" for part in node.each("fields")], level, found)
        elif node.tag == "JoinExpr":
            _read_join(node, level, found)
        waiting.extend((one, level) for one in node.below() if one.tag != "WithClause")
    return {name: frozenset(columns) for name, columns in found.items()}


def _common_queries(query: Tree, above: _Level) -> Iterator[tuple[Tree, _Level]]:
    """Yield the queries of WITH: each sees those before it; with RECURSIVE, all of them."""
    clause = query.get("withClause")
    every = clause.each("ctes") if clause else ()
    own = [one.text("ctename") for one in every]
    for place, one in enumerate(every):
        seen = own if clause and clause.flag("recursive") else own[:place]
        yield one, _Level(above, above.common | frozenset(seen))


def _level(query: Tree, above: _Level, schema: Schema) -> _Level:
    clause = query.get("withClause")
    own = frozenset(one.text("ctename") for one in clause.each("ctes")) if clause else frozenset()
    level = _Level(above, above.common | own)
    waiting = [one for clause in _FROM for one in query.each(clause)]
    if target := query.get("relation"):
        waiting.append(target)
    while waiting:
        node = waiting.pop()
        if node.tag == "JoinExpr":
            waiting.extend(side for side in (node.get("larg"), node.get("rarg")) if side)
        elif node.tag == "RangeVar":
            _take_table(node, level, schema)
        elif node.tag == "RangeSubselect":
            level.has_queries = True
    return level


def _take_table(node: Tree, level: _Level, schema: Schema) -> None:
    alias = node.get("alias")
    called = alias.text("aliasname") if alias else node.text("relname")
    is_common = not node.text("schemaname") and node.text("relname") in level.common
    relation = None if is_common else schema.find(node.range_name())
    if relation is None:
        level.has_queries = True
    else:
        level.tables[called] = relation


def _read_reference(names: list[str], level: _Level | None, found: dict[Name, set[str]]) -> None:
    """Take in `column`, `table.column`, `*` or `table.*`."""
    column, qualifier = names[-1], names[-2] if len(names) > 1 else ""
    while level is not None:
        meant = [one for called, one in level.tables.items() if not qualifier or called == qualifier]
        if column == "*":
            for one in meant:
                found.setdefault(one.name, set()).update(one.columns)
        else:
            meant = [one for one in meant if column in one.columns]
            for one in meant:
                found.setdefault(one.name, set()).add(column)
        if meant or (level.has_queries and not qualifier) or (column == "*" and not qualifier):
            return
        level = level.above


def _read_join(node: Tree, level: _Level, found: dict[Name, set[str]]) -> None:
    """Take in the columns that USING and NATURAL compare."""
    shared = {part.text("sval") for part in node.each("usingClause")}
    if node.flag("isNatural"):
        every = [column for one in level.tables.values() for column in one.columns]
        shared |= {column for column in every if every.count(column) > 1}
    for one in level.tables.values():
        found.setdefault(one.name, set()).update(shared & one.columns.keys())


def _named_in(query: Tree) -> Iterator[str]:
    """Yield the names that stand for relations, as SQL: not those of WITH where these are seen, nor that of INTO."""
    waiting: list[tuple[Tree, frozenset[str]]] = [(query, frozenset())]
    while waiting:
        node, common = waiting.pop()
        if node.tag == "RangeVar":
            if node.text("schemaname") or node.text("relname") not in common:
                yield node.range_name()
            continue
        clause = node.get("withClause")
        if clause:
            own = [one.text("ctename") for one in clause.each("ctes")]
            for place, one in enumerate(clause.each("ctes")):
                seen = own if clause.flag("recursive") else own[:place]
                waiting.append((one, common | frozenset(seen)))
            common |= frozenset(own)
        waiting.extend((one, common) for one in node.below() if one.tag not in {"WithClause", "IntoClause"})


def _is_systems(name: str) -> bool:
    place, bare = split(name)
    return place in {"pg_catalog", "information_schema"} or bare.startswith("pg_")
