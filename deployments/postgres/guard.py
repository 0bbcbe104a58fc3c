"""The second session of a migration: it sees who waits for us, and stops us when the application waits too long.

Measured: lock_timeout limits our waiting, not our holding; only a watching session bounds both (E11, E12).
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import psycopg

from deployments.postgres.advisory import end_waiters_in_the_way, holder_of
from deployments.postgres.connect import NAME_PREFIX, Holder, Session, Target, open_session
from deployments.postgres.script import Script
from deployments.postgres.stop import Stop
from deployments.postgres.stopped import CancelledOnRequest, GuardLost, LayoutLockHeld, OverBudget

FEWEST_SESSIONS, MOST_SESSIONS = 2, 20
CANCEL_PATIENCE = 2.0  # seconds between pg_cancel_backend and pg_terminate_backend
LAYOUT_LOCK_PATIENCE = 10.0  # seconds; Prisma itself gives up after ten

# Sessions that wait for ours, directly or queued behind it, and how long. Ours among themselves do not count. A role
# without pg_read_all_stats sees no names of other roles' sessions, but it sees that they wait.
WAITING = f"""
SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(lock.waitstart, clock_timestamp()))), 0),
       array_agg(DISTINCT activity.application_name)
FROM pg_locks lock JOIN pg_stat_activity activity USING (pid)
WHERE NOT lock.granted AND %(pid)s = ANY(pg_blocking_pids(lock.pid)) AND lock.pid <> %(pid)s
  AND coalesce(activity.application_name, '') NOT LIKE '{NAME_PREFIX}%%'
  AND activity.leader_pid IS DISTINCT FROM %(pid)s
"""
IN_OUR_WAY = """
SELECT activity.pid, activity.usename, activity.application_name, activity.state,
       extract(epoch FROM clock_timestamp() - activity.xact_start)
FROM pg_stat_activity activity WHERE activity.pid = ANY(pg_blocking_pids(%(pid)s))
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much the application may wait for us: the oldest waiter in seconds, all waiters together in seconds."""

    oldest_seconds: float = 1.0
    total_seconds: float = 10.0
    sessions: int = MOST_SESSIONS

    @classmethod
    def planned(cls, budget: Mapping[str, float], *, connections: int) -> Self:
        """Return the budget of a plan on a server with so many connections: at most a fifth of them wait, 2 to 20."""
        return cls(
            oldest_seconds=budget["oldest_seconds"],
            total_seconds=budget["total_seconds"],
            sessions=max(FEWEST_SESSIONS, min(MOST_SESSIONS, connections // 5)),
        )


@dataclass(slots=True)
class Bill:
    """What the application paid for one statement or file, as far as it was seen."""

    waiting: int = 0
    most_waiting: int = 0
    oldest_seconds: float = 0.0
    total_seconds: float = 0.0
    applications: set[str] = field(default_factory=set)
    in_our_way: list[str] = field(default_factory=list)  # who is now
    blockers: list[str] = field(default_factory=list)  # who was last

    def __str__(self) -> str:
        return (
            f"{self.most_waiting} sessions waited, the oldest {self.oldest_seconds:.1f} s, "
            f"all together {self.total_seconds:.1f} s"
        )

    def as_progress(self) -> dict[str, Any]:
        """Return who waits now and what it came to so far, as JSON values; durations in seconds."""
        return {
            "waiting": self.waiting,
            "oldest_seconds": self.oldest_seconds,  # not rounded: what is over its limit has to look so
            "total_seconds": self.total_seconds,
            "in_our_way": list(self.in_our_way),
        }

    def as_evidence(self) -> dict[str, Any]:
        """Return the bill as JSON values; durations in seconds."""
        return {
            "most_waiting": self.most_waiting,
            "oldest_seconds": round(self.oldest_seconds, 3),
            "total_seconds": round(self.total_seconds, 3),
            "applications": sorted(self.applications),
        }


class Guard:
    """Watches one session at a time. Opened before anything runs, and closed after: without a guard, no DDL."""

    def __init__(self, target: Target, holder: Holder, *, budget: Budget, interval: timedelta, stop: Stop) -> None:
        """Prepare; nothing is opened yet."""
        self.target = target
        self.holder = holder
        self.budget = budget
        self.bill = Bill()
        self._stop = stop
        self._interval = interval.total_seconds()
        self._session: Session
        self._lock = threading.Lock()  # a cancel is never sent to a session that is no longer watched
        self._watched: Session | None = None
        self._script: Script | None = None
        self._layout_lock: int | None = None
        self._refusal: GuardLost | OverBudget | CancelledOnRequest | None = None
        self._cancelled_at = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def __enter__(self) -> Self:
        """Open the session and begin to look. Raises what open_session raises."""
        self._session = open_session(self.target, name=self.holder.session_name)
        self._session.execute("SET statement_timeout = '5s'")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop looking and close the session; a layout's lock goes with it."""
        self._closing.set()
        self._thread.join()
        self._session.close()

    def hold_layout_lock(self, key: int) -> None:
        """Take the lock of the team's own migration tool until the guard closes. Raises LayoutLockHeld after 10 s.

        By trying again, never by waiting: a waiter deadlocks CREATE INDEX CONCURRENTLY (E18).
        """
        deadline = time.monotonic() + LAYOUT_LOCK_PATIENCE
        while not self._one("SELECT pg_try_advisory_lock(%s)", [key])[0]:
            if time.monotonic() > deadline:
                raise LayoutLockHeld(
                    target=self.target.name, holder=holder_of(self._session, key) or "one of Locktender's own sessions"
                )
            self._stop.wait(0.2)
            self._stop.require_may_start()
        self._layout_lock = key

    @contextmanager
    def watching(self, session: Session, script: Script) -> Iterator[None]:
        """Watch this session for the length of the block, with a bill of its own.

        Why the guard stopped it, if it did, is raised by `require_clear`: whoever runs the block first finds out what
        the server made of it. Raises what the guard was stopped by before, if that still holds.
        """
        with self._lock:
            self._watched, self._script, self.bill, self._cancelled_at = session, script, Bill(), 0.0
            if isinstance(self._refusal, OverBudget):  # of a file that was committed before the cancel arrived
                self._refusal = None
        try:
            self.require_clear()
            yield
        finally:
            with self._lock:
                self._watched = None

    def require_clear(self) -> None:
        """Raise the reason if the guard has stopped the migration."""
        if self._refusal is not None:
            raise self._refusal

    def _watch(self) -> None:
        while not self._closing.wait(self._interval):
            try:
                self._look()
            except psycopg.Error:
                self._give_up()
                return

    def _look(self) -> None:
        with self._lock:
            if self._watched is None or self._script is None:
                self._session.execute("SELECT")  # a broken guard is noticed before the next statement
                return
            pid = self._watched.info.backend_pid
            self._measure(pid)
            if self._layout_lock is not None:
                end_waiters_in_the_way(self._session, self._layout_lock, pid)
            if self._refusal is None:
                self._judge(self._script)
            if self._refusal is not None:
                self._end(pid)

    def _measure(self, pid: int) -> None:
        waiting, oldest, applications = self._one(WAITING, {"pid": pid})
        bill = self.bill
        bill.waiting = waiting
        bill.most_waiting = max(bill.most_waiting, waiting)
        bill.oldest_seconds = max(bill.oldest_seconds, float(oldest))
        bill.total_seconds += waiting * self._interval
        bill.applications.update(name for name in applications or () if name)
        bill.in_our_way = [
            f"pid {other} ({user}, {name or 'unnamed'}, {state}, in its transaction for {float(age or 0):.0f} s)"
            for other, user, name, state, age in self._session.execute(IN_OUR_WAY, {"pid": pid}).fetchall()
        ]
        bill.blockers = bill.in_our_way or bill.blockers

    def _judge(self, script: Script) -> None:
        bill, budget = self.bill, self.budget
        if self._stop.cancel_requested:
            self._refusal = CancelledOnRequest(migration=script.name)
        elif (
            bill.oldest_seconds > budget.oldest_seconds
            or bill.total_seconds > budget.total_seconds
            or bill.waiting > budget.sessions
        ):
            self._refusal = OverBudget(migration=script.name, bill=str(bill), left=script.when_stopped)

    def _end(self, pid: int) -> None:
        """Cancel the watched session's statement; end the session if that does not help within two seconds."""
        now = time.monotonic()
        if not self._cancelled_at:
            self._cancelled_at = now
            self._session.execute("SELECT pg_cancel_backend(%s)", [pid])
        elif now - self._cancelled_at > CANCEL_PATIENCE:
            self._session.execute("SELECT pg_terminate_backend(%s)", [pid])

    def _give_up(self) -> None:
        """The guard's session is gone: cancel the migration by the way every client has.

        Again and again until it is over, because a cancel that arrives between two statements does nothing.
        """
        if self._refusal is None:
            self._refusal = GuardLost(target=self.target.name)
        while True:
            with self._lock:
                if self._watched is None:
                    return
                with suppress(psycopg.Error):
                    self._watched.cancel_safe(timeout=CANCEL_PATIENCE)
            if self._closing.wait(self._interval):
                return

    def _one(self, query: str, parameters: Any) -> tuple[Any, ...]:
        row = self._session.execute(query, parameters).fetchone()
        assert row is not None  # noqa: S101 # aggregates and functions return one row
        return row
