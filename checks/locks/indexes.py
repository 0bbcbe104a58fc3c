"""Indexes: made, dropped, built anew, altered. What the table feels, and what only the index does."""

from __future__ import annotations

from collections.abc import Iterator

from checks.locks.constraints import require_partition_key
from checks.locks.gathering import Gathering
from checks.locks.names import holder
from checks.locks.peers import below, family
from checks.locks.storage import mode_of_options
from checks.locks.values import Mode, Work
from checks.locks.volatility import Volatility, volatility_of
from checks.model import Kind, Name, Relation
from checks.model.steps.indexes import leftover_of
from checks.names import quote, split
from checks.reading import dropped_names
from checks.tree import Tree

_CONCURRENTLY = "cannot be done CONCURRENTLY on a partitioned table"


def create_index(g: Gathering, tree: Tree) -> None:
    """CREATE INDEX (lint.md, section 4)."""
    target = tree.get("relation")
    relation = g.find(tree.relation(), what="table")
    if relation is None or target is None:
        return
    concurrently, name = tree.flag("concurrent"), tree.text("idxname")
    mode = Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE
    g.lock(relation, mode)
    is_there = bool(name) and holder(g, Name(relation.name.schema, name)) is not None
    is_there = is_there and leftover_of(relation, tree) is None  # which is dropped first
    if is_there and tree.flag("if_not_exists") and g.is_sure:
        return
    _refuse(g, tree, relation)
    if tree.flag("unique"):
        require_partition_key(g, relation, [one.text("name") for one in tree.each("indexParams")])
        g.may_fail(f"fails when rows of {relation.name} share a key")
    g.waits = g.waits or concurrently
    goes_down = relation.kind is Kind.PARTITIONED and target.flag("inh")
    for one in family(g.schema, relation) if goes_down else (relation,):
        g.lock(one, mode, because="" if one is relation else f"it is a partition of {relation.name}")
        with g.unsure(when=is_there):
            g.work(one, *(() if one is not relation and _has_alike(one, tree) else (Work.BUILD,)))


def _refuse(g: Gathering, tree: Tree, relation: Relation) -> None:
    if relation.kind is Kind.PARTITIONED and tree.flag("concurrent"):
        g.fail(f"an index {_CONCURRENTLY}: create it ON ONLY the parent, then on each partition")
    if relation.kind in {Kind.VIEW, Kind.SEQUENCE, Kind.FOREIGN}:
        g.fail_if_sure(f"a {relation.kind} has no indexes")
    if tree.flag("nulls_not_distinct") and not g.since(15):
        g.fail("NULLS NOT DISTINCT needs PostgreSQL 15")
    for one in tree.each("indexParams"):
        if volatility_of(one.get("expr"), g.schema) is Volatility.VOLATILE:
            g.fail("what an index is made of must not change from call to call")
    for one in (*tree.each("indexParams"), *tree.each("indexIncludingParams")):
        name = one.text("name")
        if name and g.knows(relation) and name not in relation.columns:
            g.fail_if_sure(f"there is no column {quote(name)} in {relation.name}")


def _has_alike(table: Relation, tree: Tree) -> bool:
    """True when a partition has such an index already: it is taken instead of a new one."""
    names = tuple(one.text("name") for one in tree.each("indexParams"))
    method = tree.text("accessMethod") or "btree"
    if not all(names) or tree.get("whereClause") is not None or tree.each("indexIncludingParams"):
        return False
    return any(
        one.columns == names
        and one.method == method
        and one.is_unique == tree.flag("unique")
        and not one.predicate
        and one.parent is None
        and not one.includes
        for one in table.indexes.values()
    )


def drop_index(g: Gathering, tree: Tree) -> None:
    """DROP INDEX: the table is locked, as if it were dropped."""
    concurrently = tree.flag("concurrent")
    mode = Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE
    for name in dropped_names(tree):
        table = _table_of(g, name, missing_ok=tree.flag("missing_ok"))
        if table is None:
            continue
        index = table.indexes[split(name)[1]]
        if any(one.index == index.name for one in table.constraints.values()):
            g.fail_if_sure(f"a constraint of {table.name} needs {quote(index.name)}")
        if index.parent is not None:
            g.fail_if_sure(f"the index {index.parent.name} of the partitioned table needs {quote(index.name)}")
        if table.kind is Kind.PARTITIONED and concurrently:
            g.fail(f"a DROP INDEX {_CONCURRENTLY}")
        for one in family(g.schema, table) if table.kind is Kind.PARTITIONED else (table,):
            g.lock(one, mode, because="" if one is table else f"it is a partition of {table.name}")
        g.lock_index(table, index.name, mode)
        g.waits = g.waits or concurrently


def _table_of(g: Gathering, name: str, *, missing_ok: bool = False) -> Relation | None:
    table = g.schema.find_index(name)
    if table is None:
        if not g.is_sure:
            g.miss(f"which table has the index {name}")
        elif not missing_ok:
            g.fail(f"there is no index {name}")
    return table


def reindex(g: Gathering, tree: Tree) -> None:
    """REINDEX: writes wait, and reads as well, because the planner opens every index."""
    concurrently = tree.switched_on("concurrently", among="params")
    kind, name = tree.enum("kind").removeprefix("REINDEX_OBJECT_"), tree.relation()
    g.waits = concurrently
    if kind == "INDEX":
        table = _table_of(g, name)
        if table is not None:
            name = split(name)[1]
            if table.kind is not Kind.PARTITIONED:
                _rebuild(g, table, [name], concurrently=concurrently)
            for one, part in _parts(g, table, name):
                _rebuild(g, one, [part], concurrently=concurrently)
        return
    if kind == "TABLE":
        relation = g.find(name, what="table")
        tables = [] if relation is None else [relation]
        if relation is not None and relation.kind is Kind.PARTITIONED:
            tables = [one for one in family(g.schema, relation) if one.kind is Kind.TABLE]
            g.lock(relation, Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE)
            for one in list(family(g.schema, relation))[1:]:
                g.lock(one, Mode.SHARE, because="every partition is locked for a moment, even CONCURRENTLY")
    else:
        place = tree.text("name")
        tables = [
            one
            for one in g.schema.relations.values()
            if one.kind in {Kind.TABLE, Kind.MATERIALIZED} and (kind != "SCHEMA" or one.name.schema == place)
        ]
        if not g.is_sure:
            g.miss("which tables there are")
    for one in tables:
        _rebuild(g, one, list(one.indexes), concurrently=concurrently)


def _parts(g: Gathering, table: Relation, index: str) -> Iterator[tuple[Relation, str]]:
    """Yield the tables that hold rows below a partitioned one, with their parts of its index."""
    waiting = [(table, index)]
    while waiting:
        above, name = waiting.pop()
        for one in below(g.schema, above):
            for part in one.indexes.values():
                if part.parent == Name(above.name.schema, name):
                    waiting.append((one, part.name))
                    if one.kind is Kind.TABLE:
                        yield one, part.name


def _rebuild(g: Gathering, table: Relation, names: list[str], *, concurrently: bool) -> None:
    mode = Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE
    g.lock(table, mode)
    if names or not g.knows(table):
        g.work(table, Work.BUILD)
    if not concurrently:
        for one in names:
            g.lock_index(table, one, Mode.ACCESS_EXCLUSIVE, Work.BUILD)


def alter_index(g: Gathering, tree: Tree) -> None:
    """ALTER INDEX: the index alone is locked, its table is not."""
    name = tree.relation()
    table = _table_of(g, name, missing_ok=tree.flag("missing_ok"))
    if table is None:
        return
    index = split(name)[1]
    for command in tree.each("cmds"):
        match command.enum("subtype"):
            case "AT_AttachPartition":
                _attach_index(g, table, index, command)
            case "AT_SetRelOptions" | "AT_ResetRelOptions":
                g.lock_index(table, index, mode_of_options(command, g.version))
            case "AT_SetTableSpace":
                g.lock_index(table, index, Mode.ACCESS_EXCLUSIVE, Work.COPY)
            case "AT_SetStatistics":
                g.lock_index(table, index, Mode.SHARE_UPDATE_EXCLUSIVE)
            case _:
                g.lock_index(table, index, Mode.ACCESS_EXCLUSIVE)


def _attach_index(g: Gathering, table: Relation, index: str, command: Tree) -> None:
    definition = command.get("def_")
    part = definition.relation("name") if definition else ""
    below = _table_of(g, part)
    g.lock_index(table, index, Mode.SHARE_UPDATE_EXCLUSIVE)
    g.lock(table, Mode.ACCESS_SHARE, because=f"it has the index {quote(index)}")
    if below is not None:
        g.lock_index(below, split(part)[1], Mode.ACCESS_EXCLUSIVE)
        g.lock(below, Mode.ACCESS_SHARE, because=f"it has the index {part}")
