"""The guard's session and its thread: it looks, adds to the bill, and stops what costs more than the budget."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Self

import psycopg

from deployments.postgres.advisory import end_waiters_in_the_way, holder_of
from deployments.postgres.connect import Holder, Session, Target, open_session
from deployments.postgres.guard.bill import Bill
from deployments.postgres.guard.budget import Budget
from deployments.postgres.guard.endings import Endings
from deployments.postgres.guard.readings import (
    Seen,
    look,
    look_at_server,
    read_any_encoding,
    somebody_waits,
    tells_disk,
)
from deployments.postgres.guard.watchdog import SILENCE_SECONDS, Watchdog
from deployments.postgres.guard.watched import Watched
from deployments.postgres.line import Line
from deployments.postgres.progress import Looking
from deployments.postgres.script import Script
from deployments.postgres.sessions import Backend, backend_of
from deployments.postgres.settings import LEAST_LONG
from deployments.postgres.stop import Stop
from deployments.postgres.stopped import CancelledOnRequest, GuardLost, LayoutLockHeld, OverBudget

LAYOUT_LOCK_PATIENCE = 10.0  # seconds; Prisma itself gives up after ten
# Its question is planned once: to plan it costs the server more than to answer it, and to compile it far more.
SETTINGS = "SET statement_timeout = '5s'; SET plan_cache_mode = force_generic_plan; SET jit = off"
PART_STATEMENTS = 3  # of a batch: the page of its keys, the change, the check of its constraints
LOOKS_PER_READING = 8  # how server and replicas are is asked every two seconds, at four looks a second


class Guard:
    """Watches one thing at a time. Opened before anything runs: without a guard, no DDL and no dump."""

    def __init__(
        self,
        target: Target,
        holder: Holder,
        *,
        budget: Budget,
        interval: timedelta,
        stop: Stop,
        longest: timedelta = LEAST_LONG,
        endings: Endings | None = None,
    ) -> None:
        """Prepare; nothing is opened yet. `endings` is where people's wishes to end a session come from.

        `longest` is what the server allows one statement of what is watched.
        """
        self.target = target
        self.holder = holder
        self.budget = budget
        self.bill = Bill()
        self.endings = endings or Endings()
        self.looking = Looking()
        self.longest = longest
        self._stop = stop
        self._interval = interval.total_seconds()
        self.backend: Backend | None = None  # of its own session, from when that is open
        self._session: Session
        self._connections = 0
        self._tells_disk = False
        self._looks = 0
        self._seen = Seen()  # at the last look
        self._lock = threading.Lock()  # held for a look: who hangs in one holds it until the watchdog hangs up
        self._aim = threading.Lock()  # a cancel is never sent to a session that is no longer watched
        self._watched: Watched | None = None
        self._begun = 0.0
        self._named = ""  # whose bill it is
        self._layout_lock: int | None = None
        self._refusal: GuardLost | OverBudget | CancelledOnRequest | None = None
        self._is_lost = False
        self._closing = threading.Event()
        self._watchdog = Watchdog(self._interval, self._give_up)
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def __enter__(self) -> Self:
        """Open the session and begin to look. Raises what open_session raises, and the driver's errors."""
        self._session = open_session(self.target, name=self.holder.session_name)
        self._watchdog.begin(self._session)
        try:
            self.backend = backend_of(self._session)
            self._session.execute(SETTINGS)
            self._session.prepare_threshold = 0
            read_any_encoding(self._session)
            self._tells_disk = tells_disk(self._session)
            row = self._session.execute("SELECT current_setting('max_connections')::int").fetchone()
            self._thread.start()
        except BaseException:
            self._closing.set()
            self._watchdog.close()
            self._session.close()
            raise
        self._connections = row[0] if row else 0
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop looking and close the session; a layout's lock goes with it."""
        self._closing.set()
        self._thread.join(SILENCE_SECONDS)
        if self._thread.is_alive():
            self._watchdog.hang_up()
            self._thread.join(SILENCE_SECONDS)
        self._watchdog.close()
        if not self._thread.is_alive():  # else it is closed with the process: never under a thread that uses it
            self._session.close()

    @property
    def backend_pid(self) -> int:
        """The server process of the guard's own session."""
        return self._session.info.backend_pid

    def as_progress(self) -> dict[str, Any]:
        """Return what waits for what is watched, and what that does, as JSON values. Can be asked from any thread."""
        return {"waits": self.bill.as_progress(), "doing": [one.as_values() for one in self.looking.seen]}

    def hold_layout_lock(self, key: int) -> None:
        """Take the lock of the team's own migration tool until the guard closes. Raises LayoutLockHeld after 10 s.

        By trying again, never by waiting: a waiter deadlocks CREATE INDEX CONCURRENTLY (E18).
        """
        deadline = time.monotonic() + LAYOUT_LOCK_PATIENCE
        while True:
            row = self._session.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
            if row is not None and row[0]:
                break
            if time.monotonic() > deadline:
                raise LayoutLockHeld(
                    target=self.target.name, holder=holder_of(self._session, key) or "one of Locktender's own sessions"
                )
            self._stop.wait(0.2)
            self._stop.require_may_start()
        self._layout_lock = key

    @contextmanager
    def watching(self, session: Session, script: Script, *, part: str = "", statements: int = 1) -> Iterator[None]:
        """Watch this session for the length of the block. The tries and statements of one file share a bill.

        A `part` of it is judged by a bill of its own, which then becomes a part of the file's: a batch that was
        cancelled does not count for the next one, which is smaller. So many `statements` may each take as long as the
        server allows one; of a file in one transaction they are counted, and of a part.

        Why the guard stopped it, if it did, is raised by `require_clear`: whoever runs the block first finds out what
        the server made of it. Raises what the guard was stopped by before, if that still holds.
        """
        left = "It changed nothing." if script.transactional else script.when_stopped
        name = f"{part} of {script.name}" if part else script.name
        if script.transactional or part:
            statements = PART_STATEMENTS if part else len(script.sent) + 1
        most = statements * self.longest.total_seconds()
        whole = self.bill if self._named == script.name else Bill()
        try:
            with (
                Line(session) as line,
                self._watching(Watched(name, left, session, session.info.backend_pid, line, most)),
            ):
                yield
        finally:
            if part:
                with self._lock:
                    whole.absorb(self.bill)
                    self.bill, self._named = whole, script.name

    @contextmanager
    def watching_dump(self, name: str) -> Iterator[None]:
        """Watch every session of the holder's name but the guard's own, for the length of the block. As `watching`."""
        with self._watching(Watched(name, "Nothing changed.")):
            yield

    @contextmanager
    def _watching(self, watched: Watched) -> Iterator[None]:
        with self._lock:
            if watched.name == self._named:
                self.bill.next_try()
            else:
                self.bill = Bill()
            with self._aim:
                self._watched = watched
            self._named = watched.name
            self._begun, self._looks = time.monotonic(), 0
            self.looking.forget()
            if isinstance(self._refusal, OverBudget):  # of a file that was committed before the cancel arrived
                self._refusal = None
        try:
            self.require_clear()
            yield
        finally:
            with self._lock, self._aim:
                self._watched = None

    def bill_of(self, name: str) -> Bill:
        """Return the bill of the file or dump of this name, an empty one if it was not watched last."""
        return self.bill if self._named == name else Bill()

    def require_clear(self) -> None:
        """Raise the reason if the guard has stopped the migration, or does not watch it any more."""
        if self._refusal is None and self._is_lost:
            self._refusal = GuardLost(target=self.target.name)
        if self._refusal is not None:
            raise self._refusal

    def _watch(self) -> None:
        try:
            with suppress(psycopg.Error):
                while not self._closing.wait(self.bill.pause(self.budget, self._interval)):
                    self._look()
                    self._watchdog.looked()
        finally:  # whatever ended it, also what nobody foresaw
            if not self._closing.is_set():
                self._give_up()

    def _look(self) -> None:
        with self._lock:
            if self._watched is None:
                self._session.execute("SELECT")  # a broken guard is noticed before the next statement
            else:
                self._look_at(self._watched)
            # Between two tries nobody is in the way of anything: then those of the last one count.
            between = self.bill.in_last_try if self._watched is None else ()
            self.endings.attend(self._session, self.bill.in_our_way or between)

    def _look_at(self, watched: Watched) -> None:
        there = time.monotonic() - self._begun
        watched.end_overdue(after=there)
        name = self.holder.session_name
        if self._seen != Seen() or somebody_waits(self._session):
            self._seen = look(self._session, pid=watched.pid, name=name, most_seconds=there)
        self.bill.add(self._seen)
        if self._looks % LOOKS_PER_READING == 0:
            self.bill.add_server(look_at_server(self._session, tells_disk=self._tells_disk))
        self._looks += 1
        if self._layout_lock is not None and watched.pid is not None:
            end_waiters_in_the_way(self._session, self._layout_lock, watched.pid)
        if self._refusal is None:
            self._judge(watched)
        if self._refusal is not None:
            watched.end(self._session, holder=self.holder.session_name)
        self.looking.look(self._session, pid=watched.pid, name=name)  # last: it holds up no cancel

    def _judge(self, watched: Watched) -> None:
        if self._stop.cancel_requested:
            self._refusal = CancelledOnRequest(migration=watched.name)
        elif over := self.bill.judge(self.budget, connections=self._connections):
            bill = self.bill.as_evidence()
            self._refusal = OverBudget(
                migration=watched.name, bill=str(self.bill), left=watched.left, why=over.text, evidence={"bill": bill}
            )

    def _give_up(self) -> None:
        """The guard's session is gone or hangs: cancel the migration as every client can. A dump ends by itself.

        Called by the guard's thread and by the watchdog's, so it waits for no look. Again and again until it is over,
        because a cancel that arrives between two statements does nothing; a server that hangs as a whole is hung up on.
        """
        self._is_lost = True
        if self._refusal is None:
            self._refusal = GuardLost(target=self.target.name)
        began = time.monotonic()
        while True:
            with self._aim:
                if self._watched is None:
                    return
                self._watched.give_up(after=time.monotonic() - began)
            if self._closing.wait(self._interval):
                return
