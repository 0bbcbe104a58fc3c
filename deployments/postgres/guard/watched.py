"""What a guard watches, and how it is ended: asked to cancel, told to end, and at last hung up on from our side."""

import math
import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from deployments.postgres.connect import Session
from deployments.postgres.line import Line

CANCEL_PATIENCE = 2.0  # seconds between pg_cancel_backend and pg_terminate_backend
HANG_UP_PATIENCE = 10.0  # seconds more: a server process that has not ended by then may hang, and the worker with it
OVERDUE_SECONDS = 60.0  # so long ago the server's own statement_timeout should have struck
# Every session of a dump, wherever its workers are by now.
DUMP_SESSIONS = """
FROM pg_stat_activity WHERE application_name = %(name)s AND datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Watched:
    """What is watched: one session, or without one every session of the holder's name. And how it is told of."""

    name: str
    left: str  # what is in the database when it was stopped, as a sentence
    session: Session | None = None
    pid: int | None = None  # of the session's server process
    line: Line | None = None  # our end of the session's connection
    most_seconds: float = math.inf  # that it may take, if the server keeps to its own limits
    _cancelled_at: float = 0.0

    def end(self, guard: Session, *, holder: str) -> None:
        """Cancel it by the guard's session; end its sessions if that does not help within two seconds. Ask again.

        At last hang up: whoever waits for a server process that neither answers nor ends finds out what it did.
        """
        now = time.monotonic()
        waited = now - self._cancelled_at
        if not self._cancelled_at:
            self._cancelled_at = now
            function = "pg_cancel_backend"
        elif waited > CANCEL_PATIENCE:
            function = "pg_terminate_backend"
        else:
            return
        if self.pid is not None:
            guard.execute(f"SELECT {function}(%s)", [self.pid])
        else:
            guard.execute(f"SELECT {function}(pid) {DUMP_SESSIONS}", {"name": holder})
        if function == "pg_terminate_backend" and waited > CANCEL_PATIENCE + HANG_UP_PATIENCE:
            self._hang_up()

    def give_up(self, *, after: float) -> None:
        """Cancel it without a guard, as every client can, and hang up when that has not helped for long enough.

        `after` are the seconds since the guard was lost. A dump ends by itself.
        """
        if after > CANCEL_PATIENCE + HANG_UP_PATIENCE:
            self._hang_up()
        elif self.session is not None:
            with suppress(psycopg.Error):
                self.session.cancel_safe(timeout=CANCEL_PATIENCE)

    def end_overdue(self, *, after: float) -> None:
        """Hang up on what has taken so many seconds, if that is longer than its server would have let it."""
        if after > self.most_seconds + OVERDUE_SECONDS:
            self._hang_up()

    def _hang_up(self) -> None:
        if self.line is not None:
            self.line.hang_up()
