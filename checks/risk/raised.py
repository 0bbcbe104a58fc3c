"""What raises the class of a script above that of its kinds: time, waiting sessions, several tables, the unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.durations import LOCKS_ROWS, Rates, Span, duration, is_measured, locks_every_row
from checks.estimate import Estimate
from checks.locks import Lock, Mode
from checks.model import Kind, Name
from checks.names import unqualified
from checks.risk.values import Classified, Limits, Risk
from checks.transactions import is_mixed
from checks.words import listed, span_words

if TYPE_CHECKING:
    from checks.context import Context, Seen


def by_time(seen: Seen, estimated: Iterable[Estimate], rates: Rates, limits: Limits) -> Iterator[Classified]:
    """Yield a reason for each lock that others feel for too long, or too many of them."""
    felt = {one.relation for one in seen.effects.felt}
    for one in estimated:
        risk = limits.of(one.slow_seconds, one.waiting)
        if one.relation in felt and risk > Risk.SAFE:
            between = " " if one.works else ": "
            what = f"line {seen.statement.line}: {seen.statement.kind}{between}{one.words}"
            yield Classified(risk, (what + _measured(seen, rates),))


def by_rows(seen: Seen, rates: Rates, limits: Limits) -> Iterator[Classified]:
    """Yield a reason for a query that works for long, though nobody waits for a table.

    Its snapshot keeps VACUUM from cleaning up, so that it wants a decision. The rows that it locks are waited for: all
    of them ask for as much as a change of all.
    """
    locks_rows = any(change.detail == LOCKS_ROWS for change in seen.statement.changes)
    makes = any(change.verb is Verb.CREATE_TABLE for change in seen.statement.changes)
    if not locks_rows and not (makes and seen.statement.kind in _COPIES):
        return
    took = duration(seen, rates)
    risk = limits.of(took.slow, None)
    if took.is_instant or risk is Risk.SAFE:
        return
    line, time = f"line {seen.statement.line}: {seen.statement.kind}", _time(took) + _measured(seen, rates)
    if locks_rows:
        every = locks_every_row(seen)
        what = f"locks {'every row' if every else 'rows'} of {_locked(seen)}: who writes one of them waits {time}"
        yield Classified(risk if every else min(risk, Risk.CONTROLLED), (f"{line} {what}",))
    if makes:
        what = f"copies what it reads {time}, and its snapshot keeps VACUUM from cleaning up meanwhile"
        yield Classified(Risk.CONTROLLED, (f"{line} {what}",))


_COPIES = frozenset({"CREATE TABLE AS", "CREATE MATERIALIZED VIEW", "SELECT"})


def _measured(seen: Seen, rates: Rates) -> str:
    """Say where a time comes from: what this environment's rehearsals measured, not the rates that everybody has."""
    return " (at the rate that rehearsals measured here)" if is_measured(seen, rates) else ""


def _time(took: Span) -> str:
    if took.slow is None:
        return "for a time that nobody can say, because the size is not known"
    return f"for {span_words(took.quick or 0, took.slow)}"


def _locked(seen: Seen) -> str:
    rows = (lock for lock in seen.effects.locks if lock.mode is Mode.ROW_SHARE and not lock.because)
    return listed([str(lock.relation) for lock in rows])


def by_unknown(seen: Seen) -> Iterator[Classified]:
    """Yield a reason for what could not be analysed, and for what the server will refuse: neither is ever safe."""
    line = f"line {seen.statement.line}"
    # Whatever table a constraint refers to, nobody who reads or writes it waits for its validation (ROW SHARE).
    validates = all(change.verb is Verb.VALIDATE_CONSTRAINT for change in seen.statement.changes)
    for what in () if validates else seen.effects.unknown:
        yield Classified(Risk.CONTROLLED, (f"{line}: not analysed: {what}",))
    if seen.effects.fails:
        yield Classified(Risk.CONTROLLED, (f"{line}: the server will refuse it: {seen.effects.fails}",))


# Changes of rows lock less than a table, but they add up with what else the transaction does.
_ROWS = frozenset({Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS, Verb.TRUNCATE})


def by_halves(context: Context) -> Iterator[Classified]:
    """Yield a reason for a mixed file: what it has done when it stops stays, and a person has to know what."""
    if is_mixed(context.script):
        what = "the file is not one transaction: when it stops, what it has done until then stays"
        yield Classified(Risk.CONTROLLED, (what,))


def several_tables(context: Context) -> Iterator[Classified]:
    """Yield a reason when one transaction locks or changes several tables that were there before.

    Counted is what is locked so that others cannot write, or more, and whose rows are changed. The two tables of a
    foreign key are one, and a table with its partitions too. Tables that only a new table refers to are locked without
    any work, so they ask for less care: but who writes two of them can still come to a deadlock with it.
    """
    for transaction in _transactions(context):
        tables = _Tables()
        for seen in transaction:
            tables.take(seen)
        if tables.count() > 1:
            words = "changes or locks several existing tables in one transaction: "
            yield Classified(Risk.HIGH, (words + tables.words(),))
        elif tables.count(with_parents=True) > 1:
            words = "locks {} against writes in one transaction: who writes several of them can deadlock"
            yield Classified(Risk.CONTROLLED, (words.format(tables.words()),))


def _transactions(context: Context) -> Iterable[tuple[Seen, ...]]:
    return (context.seen,) if context.is_one_transaction else tuple((one,) for one in context.seen)


def _has_rows(lock: Lock, seen: Seen) -> bool:
    """False for a view and a sequence: they count with their table, if they have one."""
    relation = seen.before.relations.get(lock.relation)
    return relation is None or relation.is_table or relation.kind is Kind.MATERIALIZED


_DETACHES = frozenset({"AT_DetachPartition", "AT_DetachPartitionFinalize"})


class _Tables:
    """The existing tables that a transaction locks, by the names they had before it."""

    def __init__(self) -> None:
        self.own: dict[Name, None] = {}
        self.others: dict[Name, set[Name]] = {}  # locked with one of them: the peers of its foreign keys
        self.parents: dict[Name, None] = {}  # what only new tables refer to
        self._renamed: dict[Name, Name] = {}
        self._parts: dict[Name, Name] = {}  # partitions, by their full name, with the table that they leave

    def take(self, seen: Seen) -> None:
        """Take in one statement."""
        strong = [one for one in seen.effects.felt if one.mode >= Mode.SHARE_ROW_EXCLUSIVE and _has_rows(one, seen)]
        for command in seen.commands:
            if command.kind in _DETACHES and command.definition:
                self._parts[seen.before.place(command.definition.relation("name"))] = command.table
        named = [self._before(self._parts.get(one.relation, one.relation)) for one in strong if not one.because]
        self.own |= dict.fromkeys(named)
        peers = [one.relation for one in strong if one.because]
        family = {below.name for one in strong for below in seen.before.descendants(one.relation)} if peers else set()
        for peer in peers:
            if peer not in family and named:
                self.others.setdefault(self._before(peer), set()).update(named)
            elif peer not in family:
                self.parents[self._before(peer)] = None
        for change in seen.statement.changes:
            self._take_change(change, seen)

    def _take_change(self, change: Change, seen: Seen) -> None:
        if not change.table:
            return
        place = seen.before.place(change.table)
        if change.verb in _ROWS and not seen.statement.is_new(change.table) and not seen.before.is_new(place):
            self.own[self._before(place)] = None
        # The same table under its new name is not a second one.
        elif change.verb is Verb.RENAME_TABLE:
            self._renamed[Name(place.schema, unqualified(change.detail))] = self._before(place)
        elif change.verb is Verb.MOVE:
            self._renamed[Name(unqualified(change.detail), place.name)] = self._before(place)

    def count(self, *, with_parents: bool = False) -> int:
        """Return how many tables there are, the two of a foreign key as one."""
        peers = [name for name in self.others if name not in self.own]
        absorbed: set[Name] = set()
        for peer in peers:
            free = self.others[peer] - absorbed
            absorbed |= set(sorted(free)[:1])
        alone = self.parents.keys() - self.own.keys() - self.others.keys() if with_parents else ()
        return len(self.own) + len(peers) - len(absorbed) + len(alone)

    def words(self) -> str:
        """Return their names as a list."""
        return listed([str(one) for one in self.own | dict.fromkeys(self.others) | self.parents])

    def _before(self, name: Name) -> Name:
        return self._renamed.get(name, name)
