"""Programs from a fork server: how one is asked for, as a process that can be looked after."""

import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

COMM = "executor-{job}"
"""What the kernel calls a forked executor: its arguments are those of the server."""
KILLED = 128  # a status beyond this is of one that was killed, as shells have it


class Forked:
    """A program that a fork server was asked for: as much of `subprocess.Popen` as a campaign needs."""

    def __init__(self, where: str, words: Sequence[str], streams: Sequence[int] = ()) -> None:
        """Have it started with these words and standard streams. When this returns, it is there. Raises OSError."""
        self.args = words
        self.returncode: int | None = None
        self._heard = b""
        self._asked = socket.socket(socket.AF_UNIX)
        self._asked.connect(where)
        socket.send_fds(self._asked, [" ".join(words).encode() + b"\n"], streams)
        self.pid = int(self._answer(0))

    def poll(self) -> int | None:
        """Return its status if it has ended: of one that was killed, the signal, negative."""
        if self.returncode is None and (self._heard.count(b"\n") > 1 or select.select([self._asked], [], [], 0)[0]):
            status = int(self._answer(1) or KILLED + signal.SIGKILL)  # no answer: the server was killed
            self.returncode = KILLED - status if status > KILLED else status
            self._asked.close()
        return self.returncode

    def end(self) -> None:
        """Kill it if it lives, and wait for its end."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> None:
        """Wait for its end."""
        if self.returncode is None:
            select.select([self._asked], [], [])
            self.poll()

    def _answer(self, number: int) -> bytes:
        """Return a line of the server's answer, nothing if the server has ended."""
        while self._heard.count(b"\n") <= number and (more := self._asked.recv(64)):
            self._heard += more
        return b"".join(self._heard.split(b"\n")[number : number + 1])
