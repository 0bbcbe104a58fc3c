"""How fast the server of an environment works, from what statements of known sizes took on its clones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median

from checks.changes import Verb
from checks.context import Context, Seen
from checks.durations import FIELDS, INDEXES_IN_REWRITE, RATES, WRITES_ROWS, Rates, bytes_of, locked, rows_of
from checks.locks import Lock
from checks.model import Kind

LEAST = 3  # measurements of one kind of work: fewer may be a disk that was busy once
LEAST_SECONDS = 0.1  # a shorter statement mostly waits for its commit and its catalogue
LEAST_BYTES = 16 * 2**20
LEAST_ROWS = 10_000
ROWS = "rows"
KINDS = {**{work.value: name for work, name in FIELDS.items()}, ROWS: "rows"}


@dataclass(frozen=True, slots=True)
class Measured:
    """One statement that did one kind of work: how many bytes of its table a second, or rows for a change of all."""

    work: str
    per_second: float


def measured(context: Context, seconds: Mapping[int, float]) -> Iterator[Measured]:
    """Yield the rates that the statements of a script show. `seconds` are what they took, by the line they begin in.

    Only a statement that does exactly one work for certain, on one table of known size, long enough to be one.
    """
    for seen in context.seen:
        took = seconds.get(seen.statement.line, 0.0)
        if took >= LEAST_SECONDS and (found := _work_of(seen)) is not None:
            work, amount = found
            yield Measured(work, amount / took)


def own_rates(found: Iterable[Measured], *, rates: Rates = RATES) -> Rates:
    """Return the rates with those that were measured often enough in the place of the defaults: their medians."""
    each: defaultdict[str, list[float]] = defaultdict(list)
    for one in found:
        each[one.work].append(one.per_second)
    own = {KINDS[work]: median(every) for work, every in each.items() if work in KINDS and len(every) >= LEAST}
    return replace(rates, **own, own=frozenset(own))


def _work_of(seen: Seen) -> tuple[str, int] | None:
    """Return the one work that a statement does, and on how much; None where there is none, or more than one."""
    writing = [one for one in seen.statement.changes if one.verb in WRITES_ROWS]
    working = [one for one in locked(seen) if (one.work | one.maybe) and not one.is_new and not one.is_empty]
    if writing:
        if working or len(writing) != 1 or writing[0].verb is not Verb.CHANGE_ALL_ROWS or seen.statement.batch:
            return None
        rows = rows_of(seen.before.place(writing[0].table), seen.before)
        return (ROWS, rows) if rows is not None and rows >= LEAST_ROWS else None
    if len(working) != 1 or not _is_plain(working[0], seen):
        return None
    size = bytes_of(working[0].relation, seen.before)
    (work,) = working[0].work
    return (work.value, size) if size is not None and size >= LEAST_BYTES else None


def _is_plain(lock: Lock, seen: Seen) -> bool:
    """True for one work that is certain, on a table with rows of its own and no more indexes than were measured."""
    relation = seen.before.relations.get(lock.relation)
    if relation is None or relation.kind is Kind.PARTITIONED or lock.has_rows:
        return False
    return len(lock.work) == 1 and not (lock.maybe - lock.work) and len(relation.indexes) <= INDEXES_IN_REWRITE
