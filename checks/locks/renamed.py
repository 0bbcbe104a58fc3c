"""New names for what is there, and new labels of an enum: refused where they are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from checks.locks.gathering import Gathering
from checks.locks.names import SYSTEM_COLUMNS, WITHOUT_TYPE, refuse_relation, refuse_type
from checks.model import Name, Relation
from checks.names import quote
from checks.tree import Tree


def alter_enum(g: Gathering, tree: Tree) -> None:
    """ALTER TYPE … ADD VALUE and RENAME VALUE."""
    kind = next(iter(types_named(g, tree.each("typeName"))), None)
    known = g.schema.types.get(kind) if kind else None
    if known is None or known.kind != "enum":
        return
    new, old, neighbour = tree.text("newVal"), tree.text("oldVal"), tree.text("newValNeighbor")
    if new in known.labels and not tree.flag("skipIfNewValExists"):
        g.fail_if_there(f"{known.name} has a value '{new}' already")
    for one in (old, neighbour):
        if one and one not in known.labels:
            g.fail_if_sure(f"{known.name} has no value '{one}'")


def types_named(g: Gathering, parts: Iterable[Tree]) -> Iterator[Name]:
    """Yield the user's types that a name of several parts may mean, those of the first schema first."""
    names = [one.text("sval") for one in parts]
    for place in names[-2:-1] or g.schema.path:
        if (name := Name(place, names[-1])) in g.schema.types:
            yield name


def rename(g: Gathering, tree: Tree) -> None:
    """ALTER … RENAME of anything: to a name that nothing has yet."""
    kind, new = tree.enum("renameType").removeprefix("OBJECT_"), tree.text("newname")
    if kind in {"TYPE", "DOMAIN"}:
        item = tree.get("object")
        for old in types_named(g, item.items() if item else ()):
            refuse_type(g, Name(old.schema, new))
            if old in g.schema.relations:
                refuse_relation(g, Name(old.schema, new), has_type=False)
    elif kind == "SCHEMA" and new in g.schema.schemas:
        g.fail_if_there(f"there is a schema {quote(new)} already")
    elif (written := tree.relation()) and (relation := g.schema.find(written) or g.schema.find_index(written)):
        _rename_relation(g, kind, relation, written, tree)


def _rename_relation(g: Gathering, kind: str, relation: Relation, written: str, tree: Tree) -> None:
    """A relation gets another name, or one of its parts does."""
    new, place = tree.text("newname"), relation.name.schema
    parts: Mapping[str, Iterable[str]] = {
        "COLUMN": relation.columns, "ATTRIBUTE": relation.columns, "TABCONSTRAINT": relation.constraints,
        "TRIGGER": relation.triggers, "POLICY": relation.policies, "RULE": relation.rules,
    }  # fmt: skip
    if kind not in parts:
        is_index = g.schema.find(written) is None
        refuse_relation(g, Name(place, new), has_type=not is_index and relation.kind not in WITHOUT_TYPE)
        return
    if kind in {"COLUMN", "ATTRIBUTE"} and new in SYSTEM_COLUMNS:
        g.fail(f"every table has a system column {quote(new)}")
    if new in parts[kind]:
        what = {"TABCONSTRAINT": "constraint", "ATTRIBUTE": "column"}.get(kind, kind.lower())
        g.fail_if_there(f"{relation.name} has a {what} {quote(new)} already", by=relation)
    held = relation.constraints.get(tree.text("subname")) if kind == "TABCONSTRAINT" else None
    if held is not None and held.index:
        refuse_relation(g, Name(place, new), has_type=False)
