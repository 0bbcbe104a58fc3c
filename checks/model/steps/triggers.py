"""Triggers: made, renamed and dropped, with what makes them fire."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from checks.model.edit import Refused, renamed, require
from checks.model.relations import Firing, Name, Relation
from checks.model.schema import Schema
from checks.tree import Tree

# The bits of pg_trigger.tgtype, which the parser uses too (pg_trigger.h).
_EVENTS = {4: "INSERT", 8: "DELETE", 16: "UPDATE", 32: "TRUNCATE"}


def fired_by(bits: int) -> frozenset[str]:
    """Return the events of a pg_trigger.tgtype."""
    return frozenset(event for bit, event in _EVENTS.items() if bits & bit)


def create_trigger(schema: Schema, tree: Tree) -> Schema:
    """CREATE TRIGGER. On a partitioned table every partition has it too."""
    relation, trigger = require(schema, tree.relation()), tree.text("trigname")
    if trigger in relation.triggers and not tree.flag("replace"):
        raise Refused(trigger)
    names = [part.text("sval") for part in tree.each("funcname")]
    places = [names[-2]] if len(names) > 1 else list(schema.path)
    known = [Name(place, names[-1]) for place in places]
    function = next((one for one in known if one in schema.functions), known[0] if known else Name("", names[-1]))
    below = tuple(schema.partitions(relation.name)) if tree.flag("row") else ()
    columns = frozenset(one.text("sval") for one in tree.each("columns"))
    firing = Firing(trigger, fired_by(tree.number("events")), columns, _condition(tree, relation) - columns)
    for name in (relation.name, *(one.name for one in below)):
        held = schema.relations[name]
        # The server notes what a WHEN names for the table that it was written for, not for its partitions.
        own = firing if name == relation.name else replace(firing, condition=frozenset())
        schema = schema.having(
            replace(held, triggers={**held.triggers, trigger: function}, firings={**held.firings, trigger: own})
        )
    return schema


def _condition(tree: Tree, relation: Relation) -> frozenset[str]:
    condition = tree.get("whenClause")
    parts = [one for one in condition.walk() if one.tag == "ColumnRef"] if condition else []
    return frozenset(one.each("fields")[-1].text("sval") for one in parts) & relation.columns.keys()


def lacking_triggers(relation: Relation, gone: Collection[str]) -> Relation:
    """Return a relation without some of its triggers."""
    return replace(
        relation,
        triggers={name: one for name, one in relation.triggers.items() if name not in gone},
        firings={name: one for name, one in relation.firings.items() if name not in gone},
    )


def rename_trigger(relation: Relation, old: str, new: str) -> Relation:
    """ALTER TRIGGER … RENAME. Raises Refused where there is none of that name."""
    function, firing = relation.triggers.get(old), relation.firings.get(old)
    if function is None:
        raise Refused(old)
    firings = renamed(relation.firings, old, new, replace(firing, name=new)) if firing else relation.firings
    return replace(relation, triggers=renamed(relation.triggers, old, new, function), firings=firings)
