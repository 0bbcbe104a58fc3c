"""Relations that are dropped or emptied, with everything that goes along or has to let go."""

from __future__ import annotations

from collections.abc import Container, Iterable

from checks.locks.gathering import Gathering
from checks.locks.partitions import lock_default
from checks.locks.peers import family, foreign_keys, hooked, keys_to_whole, lock_referenced, owned_sequences, readers
from checks.locks.sql import expression
from checks.locks.triggers import doubt_triggers, emptied
from checks.locks.values import Mode
from checks.locks.volatility import sequences_in
from checks.model import Kind, Name, Relation
from checks.names import quote
from checks.reading import dropped_names
from checks.tree import Tree

_AE = Mode.ACCESS_EXCLUSIVE


def drop(g: Gathering, tree: Tree) -> None:
    """DROP TABLE, VIEW, MATERIALIZED VIEW, SEQUENCE, FOREIGN TABLE."""
    what = tree.enum("removeType").removeprefix("OBJECT_").lower().replace("_", " ").replace("matview", "view")
    names = dropped_names(tree)
    going = [g.find(name, missing_ok=tree.flag("missing_ok"), what=what) for name in names]
    found = [one for one in going if one is not None]
    drop_relations(g, found, cascades=tree.enum("behavior") == "DROP_CASCADE")


def drop_relations(g: Gathering, found: Iterable[Relation], *, cascades: bool, because: str = "") -> None:
    """Add what goes with relations, and what has to let go of them."""
    going = _going(g, found, cascades=cascades, because=because)
    for relation in going.values():
        if relation.partition_of is not None and relation.partition_of not in going:
            _leave_parent(g, relation)
        for other, what in hooked(g.schema, relation.name):
            if other.name not in going:
                _need(g, f"{what} of {other.name} names {relation.name}", cascades=cascades)
                g.lock(other, _AE, because=f"{what}, which goes, names {relation.name}")
        if relation.kind is Kind.SEQUENCE:
            _lock_users(g, relation, going, cascades=cascades)
        _unlink_keys(g, relation, going, cascades=cascades)


def _need(g: Gathering, reason: str, *, cascades: bool) -> None:
    """Without CASCADE the statement fails where something else needs what goes."""
    if not cascades:
        g.fail_if_sure(reason)


def _going(g: Gathering, found: Iterable[Relation], *, cascades: bool, because: str) -> dict[Name, Relation]:
    """Lock relations and what is dropped with them, and return all of these."""
    waiting = list(found)
    going = {one.name: one for one in waiting}
    for one in waiting:
        g.lock(one, _AE, because=because)
        if not g.knows(one):
            g.miss(f"foreign keys, views and sequences of {one.name}")
    while waiting:
        relation = waiting.pop(0)
        for other, reason, needs_cascade in _goes_with(g, relation):
            if needs_cascade and other.name not in going:
                _need(g, f"{other.name} needs {relation.name}", cascades=cascades)
            g.lock(other, _AE, because=reason)
            if other.name not in going:
                going[other.name] = other
                waiting.append(other)
    return going


def _leave_parent(g: Gathering, relation: Relation) -> None:
    parent = g.schema.relations.get(relation.partition_of) if relation.partition_of else None
    if parent is not None:
        g.lock(parent, _AE, because=f"{relation.name} is a partition of it")
        lock_default(g, parent, scan=False)


def _unlink_keys(g: Gathering, relation: Relation, going: Container[Name], *, cascades: bool) -> None:
    """Lock the tables at the other ends of foreign keys that go."""
    for key in foreign_keys(relation):
        if not (key.is_inherited and relation.partition_of is not None):  # that one belongs to the key of the parent
            because = f"{quote(key.name)} of {relation.name}, which goes, refers to it"
            lock_referenced(g, key, _AE, because, is_named=False)
    for child, key in keys_to_whole(g.schema, relation):
        if child.name in going:
            continue
        _need(g, f"{quote(key.name)} of {child.name} refers to {relation.name}", cascades=cascades)
        for one in family(g.schema, child) if child.kind is Kind.PARTITIONED else (child,):
            g.lock(one, _AE, because=f"its {quote(key.name)} goes with {relation.name}")
        if relation.partition_of is not None:
            lock_referenced(g, key, _AE, f"{quote(key.name)} refers to it, and goes", is_named=False)


def _goes_with(g: Gathering, relation: Relation) -> Iterable[tuple[Relation, str, bool]]:
    """Yield what is dropped with a relation: with the reason, and whether only CASCADE does it."""
    for one in g.schema.partitions(relation.name):
        yield one, f"it is a partition of {relation.name}", False
    for one in g.schema.relations.values():
        if relation.name in one.inherits:
            yield one, f"it inherits from {relation.name}", True
    for one in owned_sequences(g.schema, relation.name):
        yield one, f"it belongs to {relation.name}", False
    for one in readers(g.schema, relation.name):
        yield one, f"it reads {relation.name}", True


def _lock_users(g: Gathering, sequence: Relation, gone: Container[Name], *, cascades: bool) -> None:
    """Lock the tables whose defaults take their value from a sequence that goes."""
    for table in g.schema.relations.values():
        for column in table.columns.values() if table.name not in gone else ():
            names = sequences_in(expression(column.default)) if column.default else ()
            if any((found := g.schema.find(name)) is not None and found.name == sequence.name for name in names):
                if not cascades:
                    g.fail_if_sure(f"the default of {quote(column.name)} of {table.name} needs {sequence.name}")
                g.lock(table, _AE, because=f"the default of {quote(column.name)} goes with {sequence.name}")


def truncate(g: Gathering, tree: Tree) -> None:
    """TRUNCATE: ACCESS EXCLUSIVE on each, on what is below, with CASCADE on everything that refers to it."""
    cascades = tree.enum("behavior") == "DROP_CASCADE"
    seen: dict[Name, Relation] = {}
    for one in tree.each("relations"):
        relation = g.find(one.range_name(), what="table")
        if relation is None:
            continue
        if cascades and not g.knows(relation):
            g.miss(f"which tables refer to {relation.name}")
        if not one.flag("inh") and relation.kind is Kind.PARTITIONED:
            g.fail("TRUNCATE ONLY is not for partitioned tables")
        for table in family(g.schema, relation) if one.flag("inh") else (relation,):
            g.lock(table, _AE, because="" if table is relation else f"it is below {relation.name}")
            seen[table.name] = table
    _follow_keys(g, seen, cascades=cascades)
    for table in seen.values():
        doubt_triggers(g, table, [emptied()], goes_down=False)
    for table in seen.values() if tree.flag("restart_seqs") else ():
        for sequence in owned_sequences(g.schema, table.name):
            g.lock(sequence, _AE, because=f"it belongs to {table.name} and starts again")


def _follow_keys(g: Gathering, seen: dict[Name, Relation], *, cascades: bool) -> None:
    """Empty the tables that refer to those which are emptied, and so on, or say why that fails."""
    waiting = list(seen.values())
    while waiting:
        table = waiting.pop(0)
        for child, key in keys_to_whole(g.schema, table):
            if child.name in seen:
                continue
            _need(g, f"{quote(key.name)} of {child.name} refers to {table.name}", cascades=cascades)
            for below in family(g.schema, child) if cascades else ():
                g.lock(below, _AE, because=f"its {quote(key.name)} refers to {table.name}")
                seen[below.name] = below
                waiting.append(below)
