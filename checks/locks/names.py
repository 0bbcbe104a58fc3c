"""Whether a name is free, for a relation or a type."""

from __future__ import annotations

from checks.locks.gathering import Gathering
from checks.model import Kind, Name, Relation
from checks.model.facts import INDEX

# They have no row type, so that a type may have their name.
WITHOUT_TYPE = frozenset({Kind.SEQUENCE})
# Every table has them (system columns, manual section 5.6).
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def holder(g: Gathering, name: Name) -> Relation | None:
    """Return what has the name of a relation: itself, or the table with an index of that name."""
    if (found := g.schema.relations.get(name)) is not None:
        return found
    return next(iter(g.schema.those(INDEX, name)), None)


def refuse_relation(g: Gathering, name: Name, *, skips: bool = False, has_type: bool = True) -> None:
    """Say that a relation cannot get a name. With `skips` (IF NOT EXISTS) the server leaves one that is there alone."""
    if (found := holder(g, name)) is not None:
        what = str(found.kind) if found.name == name else "index"
        if not skips:
            g.fail_if_there(f"there is {_a(what)} {name} already", by=found)
    elif has_type and name in g.schema.types:
        g.fail_if_there(f"there is a type {name} already")


def refuse_type(g: Gathering, name: Name) -> None:
    """Say that a type cannot get a name: every table and view is a type too."""
    relation = g.schema.relations.get(name)
    known = g.schema.types.get(name)
    if relation is not None and relation.kind not in WITHOUT_TYPE:
        g.fail_if_there(f"there is {_a(relation.kind)} {name} already, and it is a type", by=relation)
    elif known is not None and known.kind != "base":  # one of those may be a shell, which is to be completed
        g.fail_if_there(f"there is a type {name} already")


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
