"""CREATE and ALTER SEQUENCE."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, new_name, require
from checks.model.relations import Kind, Name, Relation
from checks.model.schema import Schema
from checks.names import qualified
from checks.tree import Tree


def create_sequence(schema: Schema, tree: Tree) -> Schema:
    """CREATE SEQUENCE."""
    written = tree.get("sequence")
    if written is None:
        return schema
    name = new_name(schema, written)
    made = Relation(name, Kind.SEQUENCE, owner=_owner(schema, tree), made_in=schema.script)
    return schema.having(made)


def alter_sequence(schema: Schema, tree: Tree) -> Schema:
    """ALTER SEQUENCE: OWNED BY is what the model knows of it."""
    found = require(schema, tree.relation("sequence"))
    if tree.option("owned_by") is None:
        return schema
    return schema.having(replace(found, owner=_owner(schema, tree)))


def _owner(schema: Schema, tree: Tree) -> tuple[Name, str] | None:
    option = tree.option("owned_by")
    names = option.get("arg") if option else None
    parts = [part.text("sval") for part in names.items()] if names else []
    if len(parts) < 2:  # noqa: PLR2004 - a table and its column; NONE is one word
        return None
    table = require(schema, qualified(*parts[:-1]))
    if table.kind is not Kind.VIEW and parts[-1] not in table.columns:
        raise Refused(parts[-1])
    return table.name, parts[-1]
