"""Notices a guard that hangs: one whose session answers no more is no better than one whose session broke."""

import threading
from collections.abc import Callable

from deployments.postgres.connect import Session
from deployments.postgres.line import Line

# The guard's own statement_timeout: whoever has not answered by then is not slow. The server process enforces that one
# itself, and a process that hangs does not.
SILENCE_SECONDS = 5.0
STEPS = 10  # how often it looks while it waits so long


class Watchdog:
    """Counts, in a thread of its own, how long the guard has not looked. It takes no lock and asks no server."""

    def __init__(self, interval: float, when_silent: Callable[[], None]) -> None:
        """Prepare. `interval` are the seconds between two looks; `when_silent` is called once, in the thread."""
        self._most = interval + SILENCE_SECONDS
        self._when_silent = when_silent
        self._looks = 0
        self._closing = threading.Event()
        self._line: Line | None = None
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def looked(self) -> None:
        """Note that the guard has looked."""
        self._looks += 1

    def begin(self, session: Session) -> None:
        """Begin to watch the guard that looks by this session."""
        self._line = Line(session)
        self._thread.start()

    def hang_up(self) -> None:
        """End the connection of the guard under whoever waits for its answer."""
        if self._line is not None:
            self._line.hang_up()

    def close(self) -> None:
        """Stop to watch."""
        self._closing.set()
        self._thread.join(SILENCE_SECONDS)
        if self._line is not None and not self._thread.is_alive():
            self._line.close()

    def _watch(self) -> None:
        # Steps are counted, not time: while the whole executor was suspended, the guard has missed nothing but that.
        step, missed, seen = self._most / STEPS, 0, 0
        while not self._closing.wait(step):
            missed, seen = (missed + 1, seen) if self._looks == seen else (0, self._looks)
            if missed >= STEPS:
                self.hang_up()
                self._when_silent()  # also where hanging up did not free the guard's own thread to do it
                return
