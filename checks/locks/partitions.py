"""Partitions and inheritance: attached, detached, made, and what the default partition has to do with it."""

from __future__ import annotations

from checks.locks.altering import Altering
from checks.locks.bounds import bound_is_implied, checks_of
from checks.locks.gathering import Gathering
from checks.locks.peers import ancestors, default_partition, family, foreign_keys, keys_to_whole, lock_referenced
from checks.locks.values import Mode, Work
from checks.model import Index, Kind, Relation
from checks.names import quote
from checks.tree import Tree


def mode_of_detach(command: Tree, version: int) -> Mode:
    """Return the lock that DETACH PARTITION takes on the parent."""
    del version
    definition = command.get("def_")
    concurrently = definition is not None and definition.flag("concurrent")
    return Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE


def attach(a: Altering, command: Tree) -> None:
    """ATTACH PARTITION: the rows of the new partition are checked, and those of the default partition."""
    g, definition = a.gathering, command.get("def_")
    partition = g.find(definition.relation("name"), what="table") if definition else None
    if definition is None or partition is None:
        return
    bound = definition.get("bound")
    _require_partitioned(a)
    for one in family(g.schema, partition):
        g.lock(one, Mode.ACCESS_EXCLUSIVE, because="" if one is partition else f"it is below {partition.name}")
        if not g.knows(one):
            g.work(one, maybe={Work.SCAN})
        elif not bound_is_implied(one, a.relation, bound):
            names_key = any(a.relation.partition_columns & set(each.columns) for each in checks_of(one))
            g.work(one, *(() if names_key else (Work.SCAN,)), maybe={Work.SCAN} if names_key else ())
    if bound is None or not bound.flag("is_default"):
        lock_default(g, a.relation, scan=True)
    elif default_partition(g.schema, a.relation.name) is not None:
        g.fail_if_sure(f"{a.relation.name} has a default partition already")
    _take_over(a, partition)


def _take_over(a: Altering, partition: Relation) -> None:
    """Give a new partition the indexes and foreign keys that its parent has."""
    g = a.gathering
    for table in family(g.schema, partition):
        if table.kind is Kind.TABLE and any(_lacks(table, index) for index in a.relation.indexes.values()):
            g.work(table, Work.BUILD)
    for key in foreign_keys(a.relation):
        lock_referenced(g, key, Mode.SHARE_ROW_EXCLUSIVE, f"{quote(key.name)} refers to it")
        if any(one.columns == key.columns and one.references == key.references for one in foreign_keys(partition)):
            because = f"{partition.name} has such a key already, which becomes a part of {quote(key.name)}"
            lock_referenced(g, key, Mode.ACCESS_EXCLUSIVE, because, is_named=False)
        elif key.is_enforced:
            g.work(partition, Work.KEY_CHECK)
    for above in ancestors(g.schema, a.relation):
        g.lock(above, Mode.ACCESS_SHARE, because=f"{a.relation.name} is a partition of it")
    lock_keys_to(g, a.relation)


def lock_keys_to(g: Gathering, parent: Relation) -> None:
    """Lock the tables that refer to a table which gets one more partition."""
    mode = Mode.SHARE_ROW_EXCLUSIVE if g.since(15) else Mode.ACCESS_SHARE
    for child, key in keys_to_whole(g.schema, parent):
        if not (key.is_inherited and child.partition_of is not None):
            g.lock(child, mode, because=f"its {quote(key.name)} refers to {parent.name}")


def _lacks(table: Relation, index: Index) -> bool:
    return not any(
        (one.columns, one.method, one.is_unique, one.predicate)
        == (index.columns, index.method, index.is_unique, index.predicate)
        for one in table.indexes.values()
    )


def lock_default(g: Gathering, parent: Relation, *, scan: bool) -> None:
    """Lock the default partition, and what is below it: what belongs there changes with every other partition."""
    default = default_partition(g.schema, parent.name)
    if default is None:
        return
    g.lock(default, Mode.ACCESS_EXCLUSIVE, because=f"it is the default partition of {parent.name}")
    for one in family(g.schema, default) if scan else ():
        if one is not default:
            g.lock(one, Mode.ACCESS_EXCLUSIVE, because=f"it is below the default partition of {parent.name}")
        names_key = any(parent.partition_columns & set(each.columns) for each in checks_of(one))
        g.work(one, *(() if names_key else (Work.SCAN,)), maybe={Work.SCAN} if names_key else ())


def _require_partitioned(a: Altering) -> None:
    if a.gathering.knows(a.relation) and a.relation.kind is not Kind.PARTITIONED:
        a.gathering.fail_if_sure(f"{a.relation.name} is not partitioned")


def detach(a: Altering, command: Tree) -> None:
    """DETACH PARTITION, at once or CONCURRENTLY."""
    g, definition = a.gathering, command.get("def_")
    partition = g.find(definition.relation("name"), what="table") if definition else None
    if definition is None or partition is None:
        return
    default = default_partition(g.schema, a.relation.name)
    if g.knows(partition) and partition.partition_of != a.relation.name:
        g.fail_if_sure(f"{partition.name} is not a partition of {a.relation.name}")
    _require_partitioned(a)
    if definition.flag("concurrent"):
        if default is not None:
            g.fail_if_sure(f"{a.relation.name} has a default partition: nothing can be detached CONCURRENTLY")
        g.waits = True
    elif default is not None and default.name != partition.name:
        lock_default(g, a.relation, scan=False)
    g.lock(partition, Mode.ACCESS_EXCLUSIVE)
    for child, key in keys_to_whole(g.schema, a.relation):
        g.may_fail(f"fails when a row of {child.name} refers to one of {partition.name}")
        mode = Mode.ACCESS_SHARE if key.is_inherited and child.partition_of is not None else Mode.ACCESS_EXCLUSIVE
        g.lock(child, mode, because=f"its {quote(key.name)} may refer to rows of the partition")
        for one in family(g.schema, partition):
            g.lock(one, Mode.ACCESS_EXCLUSIVE, because=f"{quote(key.name)} of {child.name} refers to it")
    for key in foreign_keys(a.relation):
        other = g.schema.relations.get(key.references) if key.references else None
        if not g.since(15) and other is not None and other.kind is Kind.PARTITIONED:
            continue
        lock_referenced(g, key, Mode.SHARE_ROW_EXCLUSIVE, f"{quote(key.name)} refers to it")


def finalize_detach(a: Altering, command: Tree) -> None:
    """DETACH PARTITION … FINALIZE ends what was interrupted."""
    definition = command.get("def_")
    partition = a.gathering.find(definition.relation("name"), what="table") if definition else None
    if partition is not None:
        a.gathering.lock(partition, Mode.ACCESS_EXCLUSIVE)


def inherit(a: Altering, command: Tree) -> None:
    """INHERIT: the parent keeps its readers and writers."""
    definition = command.get("def_")
    g = a.gathering
    parent = g.find(definition.range_name(), what="table") if definition else None
    if parent is None:
        return
    g.lock(parent, Mode.SHARE_UPDATE_EXCLUSIVE)
    for column in parent.columns.values() if g.knows(a.relation) else ():
        own = a.relation.columns.get(column.name)
        if column.name not in a.adds and (own is None or own.type != column.type):
            g.fail_if_sure(f"{a.relation.name} has no column {quote(column.name)} as {parent.name} has it")


def no_inherit(a: Altering, command: Tree) -> None:
    """NO INHERIT."""
    definition = command.get("def_")
    parent = a.gathering.find(definition.range_name(), what="table") if definition else None
    if parent is not None:
        a.gathering.lock(parent, Mode.ACCESS_SHARE)
