"""What the catalogue must show after an index was made, dropped or rebuilt CONCURRENTLY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class ConcurrentIndex:
    """What the catalogue must show after an index statement that runs CONCURRENTLY.

    `name` is None when PostgreSQL chooses it, or when several are dropped or a whole table is reindexed; `schema` is
    None when not written (a new index is made in the schema of its table). Names are bare, without quotes; `table`
    is bare too, and None where the statement does not name it. `normalised` is the statement in the parser's own
    spelling: equal for two texts that mean the same.
    """

    action: Literal["create", "drop", "reindex"]
    schema: str | None
    name: str | None
    table: str | None
    if_exists_or_not: bool
    unique: bool
    normalised: str


def concurrent_index(tree: Tree) -> ConcurrentIndex | None:
    """Return what a statement is to leave in the catalogue; None for one that does not run CONCURRENTLY."""
    action: Literal["create", "drop", "reindex"]
    schema = name = table = ""
    relation = tree.get("relation")
    if tree.tag == "IndexStmt" and tree.flag("concurrent"):
        action, name = "create", tree.text("idxname")
        if relation:
            schema, table = relation.text("schemaname"), relation.text("relname")
    elif tree.tag == "DropStmt" and tree.flag("concurrent"):
        action, objects = "drop", tree.each("objects")
        parts = [part.text("sval") for part in objects[0].items()] if len(objects) == 1 else []
        schema, name = ("", *parts)[-2:] if parts else ("", "")
    elif tree.tag == "ReindexStmt" and tree.switched_on("concurrently", among="params"):
        action = "reindex"
        if relation:
            schema = relation.text("schemaname")
            is_index = tree.enum("kind") == "REINDEX_OBJECT_INDEX"
            name, table = (relation.text("relname"), "") if is_index else ("", relation.text("relname"))
    else:
        return None
    return ConcurrentIndex(
        action=action,
        schema=schema or None,
        name=name or None,
        table=table or None,
        if_exists_or_not=tree.flag("if_not_exists") or tree.flag("missing_ok"),
        unique=tree.flag("unique"),
        normalised=tree.sql(),
    )
