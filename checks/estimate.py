"""How long a statement keeps its locks, from the size of what it reads and writes, and who would wait meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.durations import (
    WRITES_ROWS,
    Span,
    bytes_of,
    duration,
    locked,
    rows_of,
)
from checks.locks import Lock, Mode, Work
from checks.model import Name
from checks.words import amount, counted, span_words

if TYPE_CHECKING:
    from checks.context import Context, Seen


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


def _estimate(lock: Lock, seen: Seen, worked: Span, held: Span, later: Seen | None) -> Estimate:
    schema = seen.before
    relation = schema.relations.get(lock.relation)
    traffic = relation.traffic if relation and not lock.is_new else None
    blocks = lock.mode.blocks_writes and not lock.is_new
    rate = None
    if traffic and blocks:
        rate = traffic.writes + (traffic.reads if lock.mode.blocks_reads else 0)
    size = bytes_of(lock.relation, schema)
    if lock.mode.blocks_writes or lock.is_new:
        said = _words(lock, size, worked, held, later)
    else:
        said = f"{_beside(lock, seen, worked, held)}; reads and writes go on"
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
        words=said + (f" (up to {counted(rate, 'transaction')} per second would wait)" if rate and rate >= 1 else ""),
    )


def _words(lock: Lock, size: int | None, worked: Span, held: Span, later: Seen | None) -> str:
    if lock.is_new:
        return f"{lock.relation} is new: nobody waits for it"
    does = _does(lock, size)
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


_UNTIMED = frozenset({"VACUUM", "ANALYZE", "COPY"})


def is_untimed(seen: Seen) -> bool:
    """True for a statement whose work is not measured, or that waits for others first: it is never over in a moment."""
    return seen.statement.kind in _UNTIMED or (seen.effects.waits_for_old_transactions and duration(seen).is_instant)


def _beside(lock: Lock, seen: Seen, worked: Span, held: Span) -> str:
    """Return what is done under a lock that stops neither reads nor writes, and for how long it is kept."""
    changes = [one for one in seen.statement.changes if one.verb in WRITES_ROWS and one.table]
    mine = [one for one in changes if seen.before.place(one.table) == lock.relation]
    does = _does(lock, bytes_of(lock.relation, seen.before)) or (_changes(lock, seen, mine[0]) if mine else "")
    if held.is_instant and not is_untimed(seen):
        return does or f"{lock.relation} is locked for a moment"
    time = "for a time that nobody can say" if held.slow is None or is_untimed(seen) else f"for {_time(held)}"
    waits = ", and waits for every older transaction" if seen.effects.waits_for_old_transactions else ""
    if not does:
        return f"{lock.relation} is locked {time}{waits}"
    return f"{does} {time}{waits}{', until the transaction ends' if held != worked else ''}"


def _changes(lock: Lock, seen: Seen, change: Change) -> str:
    if seen.statement.batch is not None:
        return f"changes at most {seen.statement.batch.size:,} rows of {lock.relation} at a time"
    rows = rows_of(lock.relation, seen.before)
    said = "how many is not known" if rows is None else f"about {rows:,} in all"
    return f"changes {'every row' if change.verb is Verb.CHANGE_ALL_ROWS else 'rows'} of {lock.relation} ({said})"


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
