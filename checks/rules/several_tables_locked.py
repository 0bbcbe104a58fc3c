"""several-tables-locked: one transaction takes strong locks on several tables that are in use."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Mode
from checks.model import Name
from checks.rules._seen import with_first_names
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    if not context.is_one_transaction:
        return
    groups: list[set[Name]] = []
    tables: dict[Name, None] = {}
    second: Seen | None = None
    lasts = False
    for seen, first in with_first_names(context):
        lasts = lasts or not _is_reference_of_new(seen)
        for group, locked in _together(seen):
            tables |= {first.get(name, name): None for name in locked}
            roots = {first.get(name, name) for name in group}
            joined = [one for one in groups if one & roots]
            groups = [one for one in groups if not one & roots] + [set.union(roots, *joined)]
            if len(groups) > 1 and second is None:
                second = seen
    if second is not None and len(groups) > 1 and lasts:
        yield Hit(
            second.statement,
            f"This transaction holds strong locks on {listed([str(name) for name in tables])} together: users of the "
            "first wait until the last is done, and who takes them in another order ends in a deadlock.",
        )


def _is_reference_of_new(seen: Seen) -> bool:
    """True when nothing is locked but what a new table refers to, without work: that has a note of its own."""
    works = any(lock.work | lock.maybe and not lock.is_empty for lock in seen.effects.locks)
    return not works and all(lock.because for lock in seen.effects.felt)


def _together(seen: Seen) -> Iterator[tuple[set[Name], list[Name]]]:
    """Yield what a statement locks strongly, as what belongs together and the tables themselves."""
    strong = [lock for lock in seen.effects.felt if lock.mode >= Mode.SHARE_ROW_EXCLUSIVE]
    families: dict[Name, list[Name]] = {}
    for lock in strong:
        if not lock.because:
            families.setdefault(_root(seen, lock.relation), []).append(lock.relation)
    if len(families) > 1:
        yield from (({root, *names}, names) for root, names in families.items())
    elif strong:
        names = [lock.relation for lock in strong]
        yield {*names, *(_root(seen, name) for name in names)}, names


_DETACHES = frozenset({"AT_DetachPartition", "AT_DetachPartitionFinalize"})


def _root(seen: Seen, name: Name) -> Name:
    """Return what a table belongs to in this statement: its partitioned table, or the one its foreign key refers to.

    A sequence belongs to the table of its column.
    """
    relations, passed = seen.before.relations, {name}
    # What is taken away from a partitioned table belongs to it, also where neither is known.
    for command in seen.commands:
        parted = command.definition if command.kind in _DETACHES else None
        if parted is not None and seen.before.place(parted.relation("name")) == name:
            return command.table
    while (found := relations.get(name)) is not None:
        keys = (one.references for one in found.constraints.values() if one.references)
        above = [one for one in (found.partition_of, found.owner and found.owner[0]) if one]
        above = above or [one for one in keys if seen.effects.on(one)]
        if not above or above[0] in passed:
            break
        name = above[0]
        passed.add(name)
    return name


RULE = Rule(
    code="several-tables-locked",
    title="Several tables locked in one transaction",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="A lock is held until the transaction ends, so the waits add up. Two transactions that take the same tables "
    "in another order wait for each other: the server ends one of them, the migration or the application's.",
    blocks="Users of every table named, until the whole transaction ends.",
    help="Split it: one migration for each table, the locks that are short first. Where they must change together, "
    "take the tables in the order in which the application takes them.",
    source="PostgreSQL manual, section 13.3.4 Deadlocks",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);\nCREATE TABLE users (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders ADD COLUMN note text;\nALTER TABLE users ADD COLUMN note text;",
    good="ALTER TABLE orders ADD COLUMN note text, ADD COLUMN status text;",
)
