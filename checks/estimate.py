"""How long a statement keeps its locks, from the size of what it reads and writes, and who would wait meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.locks import Lock, Mode, Work
from checks.model import Kind, Name, Relation, Schema
from checks.words import amount, span_words

if TYPE_CHECKING:
    from checks.context import Context, Seen

_INDEXES_IN_REWRITE = 2  # as many as the table had whose rewrite was measured


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a server works: bytes of the table per second, and rows per second for changes of rows.

    The defaults were measured on PostgreSQL 15 with two processors, everything in memory and nothing waiting for the
    disk: 6 million rows, 808 MB. `slowdown` is how much slower a real server may be: cold disks are 5 to 10 times
    slower. An environment's own rates take their place once they are measured.
    """

    scan: float = 1_500_000_000  # SET NOT NULL, ADD CHECK: 0.36 to 0.55 s
    key_check: float = 700_000_000  # ADD FOREIGN KEY, VALIDATE: 1.0 to 1.2 s
    build: float = 430_000_000  # CREATE INDEX of one column: 1.9 s
    rewrite: float = 90_000_000  # int to bigint with two indexes: 9.0 s; gen_random_uuid() 16 s, within the range
    copy: float = 90_000_000  # SET TABLESPACE was not measured: taken for a rewrite
    rows: float = 77_000  # one UPDATE of 600,000 rows: 7.8 s
    slowdown: float = 5

    def of(self, work: Work) -> float:
        """Return the rate of one kind of work, in bytes per second."""
        match work:
            case Work.SCAN:
                return self.scan
            case Work.KEY_CHECK:
                return self.key_check
            case Work.BUILD:
                return self.build
            case Work.REWRITE:
                return self.rewrite
            case Work.COPY:
                return self.copy


RATES = Rates()


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one lock of one statement means for those who use the relation.

    `seconds` is how long the lock is kept, to the end of its transaction, at the measured rates, and `slow_seconds` on
    a slower server; both None when a size that it depends on is not known, which counts as long. `bytes` is the size of
    the relation, None when it is not known. `per_second` is how many statements would begin to wait every second, and
    `waiting` how many sessions would wait in the end, on the slower server, if none gave up; None when the traffic is
    not known, or the time. `works` when this very statement does the work, and does not only keep its lock during that
    of a later one. `is_maybe` when the work depends on what cannot be told from here. `words` says it all.
    """

    relation: Name
    mode: Mode
    seconds: float | None
    slow_seconds: float | None
    bytes: int | None
    per_second: float | None
    waiting: int | None
    works: bool
    is_maybe: bool
    words: str


def estimates(context: Context) -> tuple[tuple[Estimate, ...], ...]:
    """Return, for every statement of a script, an estimate for each relation it locks, as `locked` orders them."""
    rates, seen = context.world.rates, context.seen
    own = [duration(one, rates) for one in seen]
    kept, longest = list(own), [-1] * len(own)
    if context.is_one_transaction:  # what is locked stays locked until the end
        for index in range(len(own) - 2, -1, -1):
            kept[index] = own[index] + kept[index + 1]
            later = longest[index + 1]
            longest[index] = later if later >= 0 and own[later].weight > own[index + 1].weight else index + 1
    return tuple(
        tuple(
            _estimate(lock, one, own[index], kept[index], seen[longest[index]] if kept[index] != own[index] else None)
            for lock in locked(one)
        )
        for index, one in enumerate(seen)
    )


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
    size = None if lock.has_rows else bytes_of(lock.relation, schema)
    if size is None:
        return UNKNOWN_SPAN
    more = max(0, len(relation.indexes) - _INDEXES_IN_REWRITE) * size / rates.build if relation else 0
    sure, most = (
        sum(size / rates.of(one) + (more if one is Work.REWRITE else 0) for one in works)
        for works in (lock.work, lock.work | lock.maybe)
    )
    return Span(sure, most * rates.slowdown)


def _rows_of(change: Change, seen: Seen, rates: Rates) -> Span:
    """Return how long the change of rows takes, or the reading of them: up to every row that is there."""
    if change.verb in _WRITES_ROWS and not _is_empty(change.table, seen):
        rows = rows_of(seen.before.place(change.table), seen.before)
        if rows is None:
            return UNKNOWN_SPAN
        everything = rows / rates.rows
        return Span(everything if change.verb is Verb.CHANGE_ALL_ROWS else 0, everything * rates.slowdown)
    if change.verb in _READS_ROWS and seen.statement.kind in _QUERIES:
        return _reading(change, seen, rates)
    return INSTANT


def _is_empty(table: str, seen: Seen) -> bool:
    """True for a table that the script made and did not fill."""
    found = seen.before.find(table)
    return seen.statement.is_new(table) and not (found and found.has_rows)


_WRITES_ROWS = frozenset({Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS})
_READS_ROWS = frozenset({Verb.READ, Verb.INSERT, Verb.CREATE_TABLE})
_SYSTEM = frozenset({"pg_catalog", "information_schema"})
_QUERIES = frozenset({"SELECT", "INSERT", "CREATE TABLE AS", "EXPLAIN"})


def _reading(change: Change, seen: Seen, rates: Rates) -> Span:
    """Return how long a query takes that reads the tables it names, whole for all that can be told."""
    total = INSTANT
    for written in seen.statement.relations:
        name = seen.before.place(written)
        if written == change.table or _is_empty(written, seen) or name.schema in _SYSTEM or name.name.startswith("pg_"):
            continue
        size = bytes_of(name, seen.before)
        total += UNKNOWN_SPAN if size is None else Span(0, size / rates.scan * rates.slowdown)
    return total


def _estimate(lock: Lock, seen: Seen, worked: Span, held: Span, later: Seen | None) -> Estimate:
    schema = seen.before
    relation = schema.relations.get(lock.relation)
    traffic = relation.traffic if relation and not lock.is_new else None
    blocks = lock.mode.blocks_writes and not lock.is_new
    rate = None
    if traffic and blocks:
        rate = traffic.writes + (traffic.reads if lock.mode.blocks_reads else 0)
    size = bytes_of(lock.relation, schema)
    said = _words(lock, size, worked, held, later)
    return Estimate(
        relation=lock.relation,
        mode=lock.mode,
        seconds=held.quick,
        slow_seconds=held.slow,
        bytes=size,
        per_second=rate,
        waiting=None if rate is None or held.slow is None else round(rate * held.slow),
        works=bool(lock.work | lock.maybe) and not lock.is_new,
        is_maybe=bool(lock.maybe - lock.work),
        words=said + (f" (up to {rate:.0f} transactions per second would wait)" if rate and rate >= 1 else ""),
    )


def _words(lock: Lock, size: int | None, worked: Span, held: Span, later: Seen | None) -> str:
    if lock.is_new:
        return f"{lock.relation} is new: nobody waits for it"
    does = _does(lock, size)
    if not lock.mode.blocks_writes:
        return f"{does}; nobody waits for it" if does else f"nobody has to wait for {lock.relation}"
    verb = "reads or writes" if lock.mode.blocks_reads else "writes"
    blocked = f"nobody {verb} {'it' if does else lock.relation}"
    if held.is_instant:
        return f"{does}: {blocked} for a moment" if does else f"{blocked} for a moment"
    time = "for a time that nobody can say" if held.slow is None else f"for {_time(held)}"
    if does:
        more = ", until the transaction ends" if held != worked else ""
        return f"{does}: {blocked} {time}{more}"
    if worked.is_instant and later is not None:
        return f"{blocked} {time}: the lock stays while line {later.statement.line}, {later.statement.kind}, works"
    return f"{blocked} {time}"


def _time(span: Span) -> str:
    return span_words(span.quick or 0, span.slow or 0)


_DOES = {
    Work.REWRITE: "rewrites {it}",
    Work.COPY: "copies {it} to another place",
    Work.BUILD: "builds an index from {it}",
    Work.SCAN: "reads {it}",
    Work.KEY_CHECK: "checks the keys of {it}",
}


def _does(lock: Lock, size: int | None) -> str:
    """Return what the statement does to the bytes, or "" when it does nothing that grows with them."""
    it = f"{lock.relation} (size unknown, treated as large)" if size is None else f"{amount(size)} of {lock.relation}"
    said = [template for work, template in _DOES.items() if work in lock.work]
    said += [f"possibly {template}" for work, template in _DOES.items() if work in lock.maybe - lock.work]
    return " and ".join(template.format(it="it" if place else it) for place, template in enumerate(said))
