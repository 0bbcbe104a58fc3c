"""CREATE VIEW, CREATE MATERIALIZED VIEW, CREATE TABLE AS, SELECT INTO."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checks.model.edit import Refused, new_name, target
from checks.model.queries import aliased, columns_of
from checks.model.relations import Column, Kind, Relation
from checks.model.schema import Schema
from checks.model.sources import columns_read, relations_read
from checks.tree import Tree


def create_view(schema: Schema, tree: Tree) -> Schema:
    """CREATE [OR REPLACE] VIEW."""
    view, query = tree.get("view"), tree.get("query")
    if view is None or query is None:
        return schema
    name = target(schema, view)
    old = schema.relations.get(name)
    if old is None or not tree.flag("replace"):
        name = new_name(schema, view)
    elif old.kind is not Kind.VIEW:
        raise Refused(str(name))
    columns = _columns(schema, query, tree.each("aliases"))
    made = old or Relation(name, Kind.VIEW, made_in=schema.script)
    return schema.having(replace(made, columns=columns, **_sources(schema, query)))


def create_table_as(schema: Schema, tree: Tree) -> Schema:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW. The rows of a prepared statement cannot be told."""
    into, query = tree.get("into"), tree.get("query")
    kind = Kind.MATERIALIZED if tree.enum("objtype") == "OBJECT_MATVIEW" else Kind.TABLE
    if not into or not query:
        return schema
    # It may be there already, with rows and users: then it is not this script's own.
    return _make(schema, into, query, kind, is_ours=schema.is_complete or not tree.flag("if_not_exists"))


def select_into(schema: Schema, tree: Tree) -> Schema:
    """SELECT … INTO table."""
    into = tree.get("intoClause")
    return _make(schema, into, tree, Kind.TABLE) if into else schema


def _make(schema: Schema, into: Tree, query: Tree, kind: Kind, *, is_ours: bool = True) -> Schema:
    relation = into.get("rel")
    if relation is None:
        return schema
    sources = _sources(schema, query)
    made = Relation(
        new_name(schema, relation),
        kind,
        _columns(schema, query, into.each("colNames")),
        made_in=schema.script if is_ours else 0,
        is_logged=relation.text("relpersistence") != "u",
        access_method=into.text("accessMethod"),
    )
    return schema.having(replace(made, **sources) if kind is Kind.MATERIALIZED else made)


def _sources(schema: Schema, query: Tree) -> dict[str, Any]:
    return {"reads": relations_read(query, schema), "uses": columns_read(query, schema), "query": query.sql()}


def _columns(schema: Schema, query: Tree, names: tuple[Tree, ...]) -> dict[str, Column]:
    found = columns_of(query, schema)
    return {name: Column(name, kind) for name, kind in aliased(found, names).items()} if found else {}
