"""Predicted against measured: what agrees, what was missed, what was claimed for nothing, and what was not known."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.scratch import Measured
from checks.locks import Effects, Lock, Mode, Work
from checks.model import Name

RIGHT, MISSED, CLAIMED, UNKNOWN = "right", "missed", "claimed", "unknown"
_NOTHING: frozenset[Work] = frozenset()
# The server writes all of it anew: it reads and builds on the way, without telling so.
_PART_OF_REWRITE = frozenset({Work.SCAN, Work.BUILD})
# Of what it does to these the server says nothing, and no file changes: they cannot be held against a measurement.
_OF_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"})
_UNSEEN = _OF_ROWS | {"ALTER DOMAIN", "SELECT"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One relation on which prediction and measurement differ, in words."""

    relation: Name
    predicted: str
    measured: str

    def __str__(self) -> str:
        return f"{self.relation}: predicted {self.predicted}, measured {self.measured}"


@dataclass(slots=True)
class Tally:
    """How often what came of it: locks as (relation, mode), and each kind of work, on relations of before the file.

    What a statement does that says "not analysed" is unknown where it was not predicted: not right, and not missed.
    """

    statements: int = 0
    exact: int = 0
    locks: Counter[str] = field(default_factory=Counter)
    blocking: Counter[str] = field(default_factory=Counter)  # those of the locks that stop writes
    work: dict[Work, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in Work})

    def add(self, kind: str, effects: Effects, measured: Measured) -> list[Difference]:
        """Count one statement that succeeded and return where it differs from what was predicted."""
        self.statements += 1
        predicted, is_unknown = _of_tables(effects), bool(effects.unknown or effects.untold)
        found: list[Difference] = []
        for relation in sorted(predicted.keys() | (measured.locks.keys() | measured.work.keys())):
            lock = predicted.get(relation)
            if measured.is_whole and not (kind in _OF_ROWS and _needs_rows(lock, measured.locks.get(relation))):
                found += self._lock(relation, lock, measured.locks.get(relation), is_unknown=is_unknown)
            if kind not in _UNSEEN:
                done = measured.work.get(relation, _NOTHING)
                is_emptied = kind == "TRUNCATE"
                found += self._work(relation, lock, done, is_emptied=is_emptied, is_unknown=is_unknown)
        self.exact += not found and not is_unknown
        return found

    def _lock(self, relation: Name, lock: Lock | None, mode: Mode | None, *, is_unknown: bool) -> Iterator[Difference]:
        said = lock.mode if lock else None
        if said is mode:
            if mode is not None:
                self._count_lock(RIGHT, mode)
            return
        if mode is not None:
            self._count_lock(UNKNOWN if is_unknown else MISSED, mode)
        if said is not None:
            self._count_lock(CLAIMED, said)
        words = said.words if said else "nothing" + (" (not analysed)" if is_unknown else "")
        yield Difference(relation, words, mode.words if mode else "nothing")

    def _count_lock(self, outcome: str, mode: Mode) -> None:
        self.locks[outcome] += 1
        if mode.blocks_writes:
            self.blocking[outcome] += 1

    def _work(
        self, relation: Name, lock: Lock | None, done: frozenset[Work], *, is_emptied: bool, is_unknown: bool
    ) -> Iterator[Difference]:
        said, maybe = (lock.work, lock.maybe) if lock else (_NOTHING, _NOTHING)
        if is_emptied:
            done, said = done & {Work.SCAN}, said & {Work.REWRITE, Work.SCAN}
        elif Work.COPY in said:
            done, said = done - {Work.REWRITE, Work.BUILD}, said - {Work.COPY}
        elif Work.REWRITE in done:
            done, said = done - _PART_OF_REWRITE, said - _PART_OF_REWRITE
        for kind in sorted(done | said):
            outcome = (
                RIGHT if kind in done & said
                else CLAIMED if kind in said
                else UNKNOWN if is_unknown or kind in maybe
                else MISSED
            )  # fmt: skip
            self.work[kind][outcome] += 1
            if outcome is not RIGHT:
                words = kind if kind in said else f"no {kind}" + (" for sure" if outcome is UNKNOWN else "")
                yield Difference(relation, words, kind if kind in done else f"no {kind}")


def _of_tables(effects: Effects) -> dict[Name, Lock]:
    """Return what is predicted for relations of before the file; a lock on an index counts as one on its table."""
    locks = {lock.relation: lock for lock in effects.locks if not lock.is_new}
    for index in effects.indexes:
        one = index.on_table
        told = locks.get(one.relation, one)
        if not one.is_new:
            work = told.work | one.work
            locks[one.relation] = replace(told, mode=max(told.mode, one.mode), work=work)
    return locks


def _needs_rows(lock: Lock | None, mode: Mode | None) -> bool:
    """Return True for what the triggers of foreign keys lock: they fire for rows, and there are none."""
    return lock is not None and (mode or 0) < lock.mode and (lock.because != "" or lock.mode is Mode.ROW_SHARE)


def share(part: int, whole: int) -> str:
    """Return a part as a percentage with two places, cut, never rounded up to 100."""
    return "-" if whole == 0 else f"{10000 * part // whole / 100:.2f} %"


def precision(counts: Mapping[str, int]) -> str:
    """Return which part of what was claimed is so."""
    return share(counts.get(RIGHT, 0), counts.get(RIGHT, 0) + counts.get(CLAIMED, 0))


def recall(counts: Mapping[str, int]) -> str:
    """Return which part of what is so was claimed. What was told as unknown is not among it."""
    right = counts.get(RIGHT, 0)
    return share(right, right + counts.get(MISSED, 0) + counts.get(UNKNOWN, 0))


def known(counts: Mapping[str, int]) -> str:
    """Return which part agrees exactly where nothing was told to be unknown."""
    return agreement({RIGHT: counts.get(RIGHT, 0), MISSED: counts.get(MISSED, 0), CLAIMED: counts.get(CLAIMED, 0)})


def agreement(counts: Mapping[str, int]) -> str:
    """Return which part of all that was claimed or measured agrees exactly."""
    missing = max(counts.get(MISSED, 0) + counts.get(UNKNOWN, 0), counts.get(CLAIMED, 0))
    return share(counts.get(RIGHT, 0), counts.get(RIGHT, 0) + missing)
