"""How far a restore is, and how long it may still take: counted, or as it took before, and else not told."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deployments.postgres.progress import Doing

TELL_SECONDS = 1.0
# A rate is told once this much was measured: before it, one slow file decides.
LEAST_SECONDS, LEAST_SHARE = 3.0, 0.05
DATA = re.compile(r"(?:.*/)?(\d+)\.dat\b")


class Phase(StrEnum):
    """What a restore does. The value is the name under which its seconds are kept."""

    UNPACK = "unpack"
    ROWS = "rows"  # the first part of "restore", which is pg_restore's
    INDEXES = "indexes"  # the second
    ANALYZE = "analyze"
    COMPARE = "compare"


RESTORE = "restore"
NEXT = (Phase.UNPACK, RESTORE, Phase.ANALYZE, Phase.COMPARE)
"""In this order the parts come whose seconds are kept."""


@dataclass(slots=True)
class Course:
    """Counts what is done, from any thread; who calls `begin` and `look` has it told on, at most once a second."""

    tell: Callable[[dict[str, Any]], None]
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of the manifest
    rows: Mapping[str, int | None] = field(default_factory=dict)  # of the manifest
    expected: Mapping[str, float] = field(default_factory=dict)  # seconds of each part, as an earlier restore took
    jobs: int = 1
    phase: Phase = Phase.UNPACK
    done: int = 0
    total: int | None = None
    table: str = ""
    _since: float = 0.0  # this part
    _told_at: float = 0.0
    _sizes: dict[str, int] = field(default_factory=dict)  # of the rows of a table: by its number in the dump
    _left: set[str] = field(default_factory=set)
    _finished: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, phase: Phase) -> None:
        """Begin a part, and tell it."""
        with self._lock:
            self._enter(phase)
        self.look()

    def _enter(self, phase: Phase) -> None:
        self.phase, self.done, self.total, self.table, self._told_at = phase, 0, None, "", 0.0
        if phase is not Phase.INDEXES:
            self._since = time.monotonic()
        if phase is Phase.UNPACK:
            self.total = sum(fact.get("plain_bytes", 0) for fact in self.files.values())
        elif phase is Phase.ROWS:
            sizes = {name: fact.get("plain_bytes", 0) for name, fact in self.files.items()}
            self._sizes = {found[1]: size for name, size in sizes.items() if (found := DATA.match(name))}
            self._left, self._finished = set(self._sizes), 0
            # A single worker does not say what it has finished.
            self.total = sum(self._sizes.values()) if self.jobs > 1 else None
        elif phase is Phase.COMPARE:
            counted = [count for count in self.rows.values() if count is not None]
            self.total = sum(counted) if len(counted) == len(self.rows) else None

    def add(self, count: int) -> None:
        """Add bytes that were unpacked, or rows that were compared."""
        with self._lock:
            self.done += count

    def finished(self, number: str) -> None:
        """Take in that the rows of a table are there, by its number in the dump. After the last one come indexes."""
        with self._lock:
            if number not in self._left:
                return
            self._left.discard(number)
            self._finished += self._sizes[number]
            self.done = max(self.done, self._finished)
            if self.phase is Phase.ROWS and not self._left:
                self._enter(Phase.INDEXES)

    def look(self, see: Callable[[], Iterable[Doing]] = tuple) -> None:
        """Tell how far it is, if that was not told within the last second. `see` returns what the sessions do."""
        with self._lock:
            if time.monotonic() - self._told_at < TELL_SECONDS:
                return
            self._told_at = time.monotonic()
        sessions = list(see())
        with self._lock:
            if self.phase is Phase.ROWS and self.total is not None:
                under_way = sum(one.size or 0 for one in sessions if one.size is not None)
                self.done = max(self.done, min(self._finished + under_way, self.total))
            values = self._values()
        self.tell({"restoring": values, "doing": [one.as_values() for one in sessions], "jobs": self.jobs})

    def _values(self) -> dict[str, Any]:
        spent = time.monotonic() - self._since
        phase_left = self._phase_left(spent)
        return {
            "phase": str(self.phase),
            "done": self.done,
            "total": self.total,
            "table": self.table,
            "tables": len(self.rows),
            "seconds": round(spent, 1),
            "phase_left_seconds": None if phase_left is None else round(phase_left),
            "left_seconds": None if (left := self._whole_left(spent)) is None else round(left),
        }

    def _phase_left(self, spent: float) -> float | None:
        """Return how long this phase still takes at its rate so far; None where it is not counted, or just began."""
        share = self.done / self.total if self.total else 0.0
        if spent < LEAST_SECONDS or share < LEAST_SHARE:
            return None
        return spent * (1 - min(share, 1.0)) / share

    def _whole_left(self, spent: float) -> float | None:
        """Return how long everything still takes if it goes as before; None without a before, or once it took longer.

        Only whole parts are compared: how the earlier one divided its time between rows and indexes was not kept.
        """
        part = RESTORE if self.phase in {Phase.ROWS, Phase.INDEXES} else str(self.phase)
        later = NEXT[NEXT.index(part) + 1 :]
        if part not in self.expected or spent > self.expected[part]:
            return None
        return self.expected[part] - spent + sum(self.expected.get(one, 0.0) for one in later)
