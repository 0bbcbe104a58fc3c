"""Which of the tables that a script makes get rows in it: what is done to them later takes its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from checks.model.edit import family
from checks.model.relations import Kind, Name, Relation, Size
from checks.model.schema import Schema
from checks.tree import Tree

_QUERIES = frozenset(
    {
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
        "CopyStmt",
        "CreateTableAsStmt",
        "ExplainStmt",
    }
)


def with_rows(before: Schema, after: Schema, tree: Tree) -> Schema:
    """Return the schema after a statement, with every new table that it may have put many rows into marked.

    Rows that are written out in the script are few. Code that cannot be followed may fill whatever the script made.
    """
    if len(after.doubts) > len(before.doubts):
        return _marked(after, after.relations)
    if tree.tag == "AlterTableStmt":
        return _marked(after, {after.place(tree.relation())} if _takes_in_rows(before, tree) else ())
    if tree.tag in {"TruncateStmt", "DeleteStmt"}:
        return _emptied(after, tree)
    if tree.tag not in _QUERIES:
        return after
    if tree.tag == "InsertStmt" and (place := after.place(tree.relation())) in after.relations:
        relation = after.relations[place]
        if (few := _written_out(tree)) and _keeps_rows(relation) and after.is_new(place):
            return after.having(_with_few(relation, few))
    names: set[Name] = set()
    for written in _filled(tree):
        place = after.place(written)
        if place in after.relations:
            names |= _below(after, place)
    return _marked(after, names) if names else after


def _emptied(schema: Schema, tree: Tree) -> Schema:
    """Return the schema in which it is not known how many of the rows that were counted are left; TRUNCATE: none."""
    has_rows = tree.tag == "DeleteStmt"
    for one in [tree.relation()] if has_rows else [each.range_name() for each in tree.each("relations")]:
        place = schema.place(one)
        if schema.is_new(place) and (held := schema.relations[place]).size is not None:
            schema = schema.having(replace(held, has_rows=has_rows, size=None))
    return schema


_BYTES_OF_ROW = 200  # of what people write out in a script; it only has to be small
_MOST_WRITTEN = 10_000


def _with_few(relation: Relation, few: int) -> Relation:
    """Return a new table with rows that are counted; one that has more already has an unknown number of them."""
    if relation.has_rows and relation.size is None:
        return relation
    rows = few + ((relation.size.rows or 0) if relation.size else 0)
    return replace(relation, has_rows=True, size=Size(bytes=rows * _BYTES_OF_ROW, rows=rows))


def _keeps_rows(relation: Relation) -> bool:
    """True where what is inserted stays there: no trigger, rule or partition takes it."""
    return relation.kind is Kind.TABLE and not relation.triggers and not relation.rules


def _written_out(insert: Tree) -> int:
    """Return how many rows an INSERT holds, 0 where that is not certain or they are many."""
    if not _writes_out(insert) or insert.get("onConflictClause") is not None or insert.get("withClause") is not None:
        return 0
    select = insert.get("selectStmt")
    rows = len(select.each("valuesLists")) if select is not None else 1
    return rows if rows <= _MOST_WRITTEN else 0


def _takes_in_rows(schema: Schema, tree: Tree) -> bool:
    """True for ATTACH PARTITION of a table that was there before, or that this script has filled."""
    attached = [one.get("def_") for one in tree.each("cmds") if one.enum("subtype") == "AT_AttachPartition"]
    tables = [schema.find(one.relation("name")) for one in attached if one]
    return any(one is None or one.has_rows or not schema.is_new(one.name) for one in tables)


def empty(schema: Schema) -> Schema:
    """Return a schema in which nothing is marked: for the next script those tables are not new."""
    filled = [one for one in schema.relations.values() if one.has_rows]
    # How many rows there are by then is not known any more.
    return schema.having(*(replace(one, has_rows=False, size=None) for one in filled)) if filled else schema


def _marked(schema: Schema, names: Iterable[Name]) -> Schema:
    marked = [replace(schema.relations[name], has_rows=True, size=None) for name in names if schema.is_new(name)]
    return schema.having(*marked) if marked else schema


def _filled(tree: Tree) -> Iterator[str]:
    """Yield the names of what a statement may put many rows into, as SQL."""
    if tree.tag == "CopyStmt" and tree.flag("is_from"):
        yield tree.relation()
    for node in tree.walk():
        target = None
        if node.tag == "IntoClause" and not node.flag("skipData"):
            target = node.get("rel")
        elif node.tag in {"MergeStmt", "UpdateStmt"} or (node.tag == "InsertStmt" and not _writes_out(node)):
            target = node.get("relation")
        if target is not None:
            yield target.range_name()


def _writes_out(insert: Tree) -> bool:
    """True when every row of an INSERT stands in the script. One row with a call in it can be a row set."""
    select = insert.get("selectStmt")
    if select is None:
        return True
    rows = select.each("valuesLists")
    return len(rows) > 1 or (len(rows) == 1 and not any(one.tag == "FuncCall" for one in select.walk()))


def _below(schema: Schema, name: Name) -> set[Name]:
    """Return a relation with its partitions and, where it is a view, what that reads."""
    found: set[Name] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in found or one not in schema.relations:
            continue
        found |= set(family(schema, one))
        if schema.relations[one].kind is Kind.VIEW:
            waiting.extend(schema.relations[one].reads)
    return found
