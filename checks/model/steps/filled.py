"""Which of the tables that a script makes get rows in it: what is done to them later takes its time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from checks.model.edit import family
from checks.model.relations import Kind, Name
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
    if tree.tag not in _QUERIES:
        return after
    names: set[Name] = set()
    for written in _filled(tree):
        place = after.place(written)
        if place in after.relations:
            names |= _below(after, place)
    return _marked(after, names) if names else after


def _takes_in_rows(schema: Schema, tree: Tree) -> bool:
    """True for ATTACH PARTITION of a table that was there before, or that this script has filled."""
    attached = [one.get("def_") for one in tree.each("cmds") if one.enum("subtype") == "AT_AttachPartition"]
    tables = [schema.find(one.relation("name")) for one in attached if one]
    return any(one is None or one.has_rows or not schema.is_new(one.name) for one in tables)


def empty(schema: Schema) -> Schema:
    """Return a schema in which nothing is marked: for the next script those tables are not new."""
    if not any(one.has_rows for one in schema.relations.values()):
        return schema
    return replace(schema, relations={name: replace(one, has_rows=False) for name, one in schema.relations.items()})


def _marked(schema: Schema, names: Iterable[Name]) -> Schema:
    marked = {name: replace(schema.relations[name], has_rows=True) for name in names if schema.is_new(name)}
    return replace(schema, relations={**schema.relations, **marked}) if marked else schema


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
