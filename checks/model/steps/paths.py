"""The search path, which says where names without a schema are looked for, and the time zone of the session."""

from __future__ import annotations

from dataclasses import replace

from checks.model.schema import Schema
from checks.names import unqualified
from checks.tree import Tree


def set_variable(schema: Schema, tree: Tree) -> Schema:
    """SET and RESET of search path and time zone. Other settings change nothing here."""
    name, kind = tree.text("name").lower(), tree.enum("kind")
    values = [one.get("val") for one in tree.each("args")] if kind == "VAR_SET_VALUE" else []
    words = [one.text("sval") for one in values if one]
    if name == "timezone" or kind == "VAR_RESET_ALL":
        zone = words[0] if words else ("" if values else schema.usual_time_zone)
        schema = replace(schema, time_zone=zone)
    if name == "search_path" or kind == "VAR_RESET_ALL":
        schema = replace(schema, path=_path(words) if kind == "VAR_SET_VALUE" else schema.usual_path)
    return schema


def _path(names: list[str]) -> tuple[str, ...]:
    """Return a path without what names no schema of the application: `"$user"`, nothing, and the system's own."""
    return tuple(one for one in names if one not in {"", "$user", "pg_catalog", "pg_temp"})


def set_config(schema: Schema, node: Tree) -> Schema:
    """Return the schema after a call of set_config. A computed search path is a doubt."""
    setting, value = (_constant(node, place) for place in (0, 1))
    if setting is None:
        return schema.doubting("set_config of a computed setting")
    if setting.lower() != "search_path":
        return schema
    if value is None:
        return schema.doubting("a computed search path")
    return replace(schema, path=_path([unqualified(one.strip()) for one in value.split(",") if one.strip()]))


def _constant(node: Tree, place: int) -> str | None:
    arguments = node.each("args")[place : place + 1]
    value = arguments[0].get("val") if arguments and arguments[0].tag == "A_Const" else None
    return value.text("sval") if value is not None and value.tag == "String" else None
