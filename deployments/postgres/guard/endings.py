"""Ending one session that is in our way, because a person asked for exactly that one."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg

from deployments.postgres.connect import NAME_PREFIX, Session
from deployments.postgres.guard.readings import InTheWay

PATIENCE_SECONDS = 10.0
WHO = "SELECT coalesce(application_name, ''), xact_start FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
SETTLING_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Ending:
    """A wish: the row it stands in, and the session as it was shown to the person.

    A pooler gives one server process to many clients: with `xact_start` only that very transaction is meant.
    """

    key: int
    pid: int
    backend_start: datetime
    xact_start: datetime | None = None


class Outcome(StrEnum):
    """What became of a wish. The values are stored."""

    ENDED = "ended"
    GONE = "gone"  # before we came to it
    MOVED_ON = "moved-on"  # its transaction is another one now
    NOT_PERMITTED = "not-permitted"
    OURS = "ours"
    ANTI_WRAPAROUND = "anti-wraparound"  # it keeps the database from stopping: it is waited for
    NOT_IN_THE_WAY = "not-in-the-way"  # what was asked for is no longer of use
    STAYS = "stays"  # it was told to end, and has not within ten seconds


class Endings:
    """The box between who takes the wishes from the control database and the guard, which does nothing there.

    One for all guards of a step: the next one knows whom the last one told to end before its link broke.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._open: dict[int, Ending] = {}
        self._seen: set[int] = set()
        self._sent: set[int] = set()  # the order to end; perhaps it never arrived
        self._told_at: dict[int, float] = {}  # told to end for certain, when
        self._outcomes: list[tuple[Ending, Outcome]] = []

    def ask(self, ending: Ending) -> None:
        """Put in a wish; once for each key, however often it is asked."""
        with self._lock:
            if ending.key not in self._seen:
                self._seen.add(ending.key)
                self._open[ending.key] = ending

    def outcomes(self) -> list[tuple[Ending, Outcome]]:
        """Return what became of wishes and is not written yet."""
        with self._lock:
            return list(self._outcomes)

    def written(self, key: int) -> None:
        """Forget what became of a wish: it is where people read it."""
        with self._lock:
            self._outcomes = [one for one in self._outcomes if one[0].key != key]

    def unanswered(self) -> list[Ending]:
        """Return the wishes that nothing became of yet."""
        with self._lock:
            return list(self._open.values())

    def settle(self, seconds: float) -> None:
        """Wait at most so long until it is known what became of those that were told to end.

        What they held up may be through before they are gone, and nobody looks after that.
        """
        deadline = time.monotonic() + seconds
        while any(one.key in self._told_at for one in self.unanswered()) and time.monotonic() < deadline:
            time.sleep(SETTLING_LOOK_SECONDS)

    def attend(self, opened: Session, in_the_way: Sequence[InTheWay]) -> None:
        """Do what is asked, as far as it can be done now. Called by the guard. Raises psycopg.OperationalError."""
        for one in self.unanswered():
            if (outcome := self._outcome(opened, one, in_the_way)) is not None:
                with self._lock:
                    self._open.pop(one.key, None)
                    self._outcomes.append((one, outcome))

    def _outcome(self, opened: Session, one: Ending, in_the_way: Sequence[InTheWay]) -> Outcome | None:
        told_at = self._told_at.get(one.key)
        session = [one.pid, one.backend_start]
        row = opened.execute(WHO, session).fetchone()
        if row is None:
            return Outcome.ENDED if one.key in self._sent else Outcome.GONE
        if told_at is not None:
            return Outcome.STAYS if time.monotonic() - told_at > PATIENCE_SECONDS else None
        if refused := _refused(one, row, in_the_way):
            return refused
        self._sent.add(one.key)  # before: a link that breaks takes the answer with it, not the order
        try:
            opened.execute(END, session)
        except psycopg.errors.InsufficientPrivilege:
            self._sent.discard(one.key)
            return Outcome.NOT_PERMITTED
        self._told_at[one.key] = time.monotonic()
        return None


def _refused(one: Ending, row: tuple[str, datetime | None], in_the_way: Sequence[InTheWay]) -> Outcome | None:
    name, xact_start = row
    if name.startswith(NAME_PREFIX):
        return Outcome.OURS
    shown = next(
        (other for other in in_the_way if (other.pid, other.backend_start) == (one.pid, one.backend_start)), None
    )
    if shown is None:
        return Outcome.NOT_IN_THE_WAY
    if shown.kind == "anti-wraparound":
        return Outcome.ANTI_WRAPAROUND
    if one.xact_start is not None and xact_start != one.xact_start:
        return Outcome.MOVED_ON
    return None
