"""Reading the SQL that the schema keeps: defaults, conditions, the SELECT of a view."""

from __future__ import annotations

from functools import lru_cache

from checks.errors import Unparsable
from checks.statements import parse
from checks.tree import Tree


@lru_cache(maxsize=4096)
def expression(text: str) -> Tree | None:
    """Return an expression as a tree, or None where it cannot be read."""
    select = query(f"SELECT {text}") if text else None
    targets = select.each("targetList") if select else ()
    return targets[0].get("val") if len(targets) == 1 else None


@lru_cache(maxsize=4096)
def query(text: str) -> Tree | None:
    """Return a statement as a tree, or None where it cannot be read."""
    found = queries(text)
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=4096)
def queries(text: str) -> tuple[Tree, ...]:
    """Return statements as trees; none where they cannot be read."""
    try:
        return tuple(one.tree for one in parse(text).statements)
    except Unparsable:
        return ()
