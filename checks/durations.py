"""How long a statement works: from the size of what it reads and writes, at measured rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from checks.batching.named import rows_named
from checks.changes import Change, Verb
from checks.locks import Lock, Mode, Work
from checks.model import Kind, Name, Relation, Schema
from checks.reading.conditions import is_always_true

if TYPE_CHECKING:
    from checks.context import Seen

INDEXES_IN_REWRITE = 2  # as many as the table had whose rewrite was measured


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a server works: bytes of the table per second, and rows per second for changes of rows.

    The defaults were measured on PostgreSQL 15 with two processors, everything in memory and nothing waiting for the
    disk: 6 million rows, 808 MB. `slowdown` is how much slower a real server may be: cold disks are 5 to 10 times
    slower. An environment's own rates take their place once they are measured; `own` names those that were.
    """

    scan: float = 1_500_000_000  # SET NOT NULL, ADD CHECK: 0.36 to 0.55 s
    key_check: float = 700_000_000  # ADD FOREIGN KEY, VALIDATE: 1.0 to 1.2 s
    build: float = 430_000_000  # CREATE INDEX of one column: 1.9 s
    rewrite: float = 90_000_000  # int to bigint with two indexes: 9.0 s; gen_random_uuid() 16 s, within the range
    copy: float = 90_000_000  # CREATE TABLE AS: 81 to 112 MB/s on 15 and 18; SET TABLESPACE was not measured
    rows: float = 77_000  # one UPDATE of 600,000 rows: 7.8 s
    row_locks: float = 630_000  # SELECT … FOR UPDATE of a million rows: 1.2 to 1.6 s, on 15 and 18
    slowdown: float = 5
    own: frozenset[str] = frozenset()

    def of(self, work: Work) -> float:
        """Return the rate of one kind of work, in bytes per second."""
        rate: float = getattr(self, FIELDS[work])
        return rate


RATES = Rates()
FIELDS = {
    Work.SCAN: "scan",
    Work.KEY_CHECK: "key_check",
    Work.BUILD: "build",
    Work.REWRITE: "rewrite",
    Work.COPY: "copy",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A time in seconds: at the measured rates, and on a slower server. Both None when nobody can say."""

    quick: float | None = 0
    slow: float | None = 0

    def __add__(self, other: Span) -> Span:
        if self.quick is None or self.slow is None or other.quick is None or other.slow is None:
            return UNKNOWN_SPAN
        return Span(self.quick + other.quick, self.slow + other.slow)

    @property
    def is_instant(self) -> bool:
        """True when no work is done that grows with a size."""
        return self.slow == 0

    @property
    def weight(self) -> float:
        """How long it is, to compare with others: what nobody can say is longest."""
        return inf if self.slow is None else self.slow


INSTANT, UNKNOWN_SPAN = Span(), Span(None, None)


def locked(seen: Seen) -> tuple[Lock, ...]:
    """Return one lock for each relation. Who locks an index alone may lock its table for everybody."""
    felt = {one.relation: one for one in seen.effects.felt}
    named = tuple(felt.pop(one.relation, one) for one in seen.effects.locks)
    return (*named, *felt.values())


def duration(seen: Seen, rates: Rates = RATES) -> Span:
    """Return how long one statement works. What a function does takes its own time, which is not in here."""
    total = INSTANT
    for lock in locked(seen):
        total += _work_of(lock, seen.before, rates)
    for change in seen.statement.changes:
        total += _rows_of(change, seen, rates)
    return total


def is_measured(seen: Seen, rates: Rates) -> bool:
    """Return whether all the work that makes a statement take its time has a rate of the environment's own."""
    works = {work for lock in locked(seen) if not lock.is_empty for work in lock.work | lock.maybe}
    needs = {FIELDS[work] for work in works}
    if any(change.verb in WRITES_ROWS for change in seen.statement.changes):
        needs.add("rows")
    return bool(needs) and needs <= rates.own


def bytes_of(name: Name, schema: Schema) -> int | None:
    """Return the size of a relation, of a partitioned table that of its partitions; None when it is not known."""
    relation = schema.relations.get(name)
    if relation is None:
        return None
    if relation.kind is not Kind.PARTITIONED:
        return relation.size.bytes if relation.size else None
    sizes = [one.size.bytes if one.size else None for one in _storing(relation, schema)]
    return sum(one for one in sizes if one is not None) if None not in sizes else None


def rows_of(name: Name, schema: Schema) -> int | None:
    """Return how many rows a relation has as estimated, of a partitioned table all of its partitions' rows."""
    relation = schema.relations.get(name)
    if relation is None:
        return None
    counts = [one.size.rows if one.size else None for one in _storing(relation, schema)]
    return sum(one for one in counts if one is not None) if None not in counts else None


def _storing(relation: Relation, schema: Schema) -> Iterator[Relation]:
    """Yield what holds the rows: the relation itself, or every partition that is not partitioned again."""
    if relation.kind is not Kind.PARTITIONED:
        yield relation
    else:
        yield from (one for one in schema.descendants(relation.name) if one.kind is not Kind.PARTITIONED)


def _work_of(lock: Lock, schema: Schema, rates: Rates) -> Span:
    """Return how long the work under one lock takes; work that is only possible may take no time."""
    relation = schema.relations.get(lock.relation)
    # What this script made and did not fill takes no time; filled, its size is unknown. Partitions have own locks.
    if (
        lock.is_empty
        or not lock.work | lock.maybe
        or (relation and relation.kind is Kind.PARTITIONED and not lock.has_rows)
    ):
        return INSTANT
    # Of what this script filled, only rows that are written out in it are counted.
    is_counted = not lock.has_rows or (relation is not None and relation.size is not None)
    size = bytes_of(lock.relation, schema) if is_counted else None
    if size is None:
        return UNKNOWN_SPAN
    more = max(0, len(relation.indexes) - INDEXES_IN_REWRITE) * size / rates.build if relation else 0
    sure, most = (
        sum(size / rates.of(one) + (more if one is Work.REWRITE else 0) for one in works)
        for works in (lock.work, lock.work | lock.maybe)
    )
    return Span(sure, most * rates.slowdown)


def _rows_of(change: Change, seen: Seen, rates: Rates) -> Span:
    """Return how long the change of rows takes, or the reading of them: up to every row that is there."""
    if change.verb in WRITES_ROWS and not _is_empty(change.table, seen):
        rows = rows_of(seen.before.place(change.table), seen.before)
        if seen.statement.batch is not None:  # nothing is kept for longer than one batch
            rows = min(seen.statement.batch.size, seen.statement.batch.size if rows is None else rows)
        if rows is None:
            return UNKNOWN_SPAN
        everything = rows / rates.rows
        return Span(everything if change.verb is Verb.CHANGE_ALL_ROWS else 0, everything * rates.slowdown)
    if change.verb in _READS_ROWS and seen.statement.kind in _QUERIES and not _is_without_data(seen):
        if seen.statement.batch is not None:
            return Span(0, seen.statement.batch.size / rates.rows * rates.slowdown)
        return _reading(change, seen, rates)
    return INSTANT


def _is_without_data(seen: Seen) -> bool:
    into = seen.statement.tree.get("into")
    return into is not None and into.flag("skipData")


def _is_empty(table: str, seen: Seen) -> bool:
    """True for a table that the script made and did not fill."""
    found = seen.before.find(table)
    return seen.statement.is_new(table) and not (found and found.has_rows)


WRITES_ROWS = frozenset({Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS})
_READS_ROWS = frozenset({Verb.READ, Verb.INSERT, Verb.CREATE_TABLE})
_SYSTEM = frozenset({"pg_catalog", "information_schema"})
_QUERIES = frozenset({"SELECT", "INSERT", "CREATE TABLE AS", "CREATE MATERIALIZED VIEW", "EXPLAIN"})
LOCKS_ROWS = "row locks"
"""The detail of a READ that locks the rows it gives, as `checks.reading` tells it."""


def _reading(change: Change, seen: Seen, rates: Rates) -> Span:
    """Return how long a query takes that reads the tables it names, whole for all that can be told.

    What it makes a table of is written too, and rows that it locks are each written to.
    """
    total = INSTANT
    for written in seen.statement.relations:
        name = seen.before.place(written)
        if _is_target(written, change, seen) or _is_empty(written, seen):
            continue
        if name.schema in _SYSTEM or name.name.startswith("pg_"):
            continue
        if change.verb is Verb.READ and change.detail == LOCKS_ROWS:
            if (lock := seen.effects.on(name)) is not None and lock.mode is Mode.ROW_SHARE:
                total += _locking_rows(name, seen, rates)
            continue
        size = bytes_of(name, seen.before)
        rate = rates.copy if change.verb is Verb.CREATE_TABLE else rates.scan
        total += UNKNOWN_SPAN if size is None else Span(0, size / rate * rates.slowdown)
    return total


def _is_target(written: str, change: Change, seen: Seen) -> bool:
    """True for the table that is only written to: what is read of it too stands in the statement once more."""
    if written != change.table:
        return False
    return sum(one.tag == "RangeVar" and one.range_name() == written for one in seen.statement.tree.walk()) == 1


def _locking_rows(name: Name, seen: Seen, rates: Rates) -> Span:
    """Return how long it takes to lock rows: all of them where nothing limits the query, one where a key names it."""
    rows = rows_of(name, seen.before)
    named = _named(name, seen)
    if named is not None:
        rows = min(named, named if rows is None else rows)
    if rows is None:
        return UNKNOWN_SPAN
    everything = rows / rates.row_locks
    return Span(everything if locks_every_row(seen) else 0, everything * rates.slowdown)


def _named(name: Name, seen: Seen) -> int | None:
    """Return how many rows a query of one table alone names by a key, or None."""
    tree, relation = seen.statement.tree, seen.before.relations.get(name)
    tables = [one for one in tree.walk() if one.tag == "RangeVar"]
    if relation is None or tree.tag != "SelectStmt" or len(tables) != 1 or len(tree.each("fromClause")) != 1:
        return None
    return rows_named(tree.get("whereClause"), tables[0], relation, is_alone=True)


def locks_every_row(seen: Seen) -> bool:
    """True for a SELECT … FOR UPDATE or SHARE, wherever in the statement, that no condition and no LIMIT narrows."""
    return any(
        one.tag == "SelectStmt" and one.each("lockingClause") and not one.get("limitCount")
        and is_always_true(one.get("whereClause"))
        for one in seen.statement.tree.walk()
    )  # fmt: skip
