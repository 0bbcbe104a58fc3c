"""Our own end of a session's connection: by it the session is ended under whoever waits for an answer that never comes.

A process that hangs keeps its connection: the kernel still acknowledges, so no timeout of the network strikes, and
those of the server are kept by the process that hangs.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import psycopg

if TYPE_CHECKING:
    from deployments.postgres.connect import Session


class Line:
    """A session's socket under a number of our own: when the session is gone, its number may be another's."""

    def __init__(self, session: "Session") -> None:
        """Hold it. Of a session that is gone already, or where no number is free, there is nothing to hold."""
        self._held: socket.socket | None = None
        with suppress(psycopg.Error, OSError):
            self._held = socket.socket(fileno=os.dup(session.pgconn.socket))

    def __enter__(self) -> Self:
        """Hold it for the length of a block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of it."""
        self.close()

    def hang_up(self) -> None:
        """End the connection; who waits for the server then gets the driver's error. Can be called from any thread."""
        if self._held is not None:
            with suppress(OSError):
                self._held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of our end; the session keeps its own."""
        if self._held is not None:
            self._held.close()


@contextmanager
def answering_within(seconds: float, session: "Session") -> Iterator[threading.Event]:
    """Hang up on a session if the block takes longer. What is yielded is set then.

    A machine that has no thread to give waits as long as the server does.
    """
    is_late = threading.Event()
    with Line(session) as line:

        def give_up() -> None:
            is_late.set()
            line.hang_up()

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        with suppress(RuntimeError):
            timer.start()
        try:
            yield is_late
        finally:
            timer.cancel()
