"""The statement for one batch: the author's, with a range of keys added to its condition through the parse tree."""

from __future__ import annotations

from typing import Any

from checks.errors import Unparsable
from checks.names import qualified, quote, unqualified
from checks.statements import Statement, parse
from checks.tree import Tree


def ranged(statement: Statement, use: Tree, key: tuple[str, ...]) -> str:
    """Return a statement narrowed to a range of keys of one RangeVar in it, as SQL with $1 …; "" if it cannot be.

    What is written is read again and compared with the tree that was meant, node by node: the writer is not trusted.
    """
    meant = parse(statement.sql).statements[0].tree
    query: Any = meant.node if meant.tag in {"UpdateStmt", "DeleteStmt"} else getattr(meant.node, "selectStmt", None)
    condition: Any = parse(f"SELECT WHERE {key_range(use, key)}").statements[0].tree.get("whereClause").node  # type: ignore[union-attr]
    condition.args = (*_arms(query.whereClause), *condition.args)
    query.whereClause = condition
    written = meant.sql()
    try:
        read = parse(written).statements
    except Unparsable:
        return ""
    return written if len(read) == 1 and read[0].tree.node == meant.node else ""


def key_range(use: Tree, key: tuple[str, ...]) -> str:
    """Return the condition that a row of a RangeVar is in a batch: from the key $1 … to the one after it, both in."""
    alias = use.get("alias")
    name = alias.text("aliasname") if alias is not None else use.text("relname")
    columns = [qualified(name, unqualified(column)) for column in key]
    first, last = (", ".join(f"${place + offset}" for place in range(1, len(key) + 1)) for offset in (0, len(key)))
    listed = ", ".join(columns)
    if len(key) > 1:
        listed, first, last = f"({listed})", f"({first})", f"({last})"
    return f"{listed} >= {first} AND {listed} <= {last}"


def _arms(condition: Any) -> tuple[Any, ...]:
    """Return what AND combines: the parser joins one AND inside another into one, so the writer's text compares."""
    if condition is None:
        return ()
    found = Tree(condition, str)
    return tuple(condition.args) if found.tag == "BoolExpr" and found.enum("boolop") == "AND_EXPR" else (condition,)


def quoted(key: tuple[str, ...]) -> str:
    """Return the columns of a key as SQL, with commas between."""
    return ", ".join(quote(unqualified(column)) for column in key)
