"""What the two embedded servers share: one owner of a folder, one child process on one port, and its end.

A base class at its second use: composition would leave the same properties and methods in both classes a second time.
"""

import subprocess
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from controlplane.embedded.errors import PortTaken, ServerDidNotStart, ServerNotRunning
from controlplane.embedded.lock import FolderLock, refuse_what_is_not_ours
from controlplane.embedded.processes import POLL_SECONDS, Escalation, end, free_port, log_since, log_size, reason_in


class EmbeddedServer(ABC):
    """A server on a port of 127.0.0.1, with its data, log and lock in `folder`, named by `name`.

    One owner at a time: `start` takes the folder's lock and `stop` gives it back. What a crashed owner left running is
    ended by the next start. The address stays the same as long as the object lives.
    """

    _start_timeout: ClassVar[timedelta]
    _orderly: ClassVar[Escalation]
    _at_once: ClassVar[Escalation]

    def __init__(self, folder: Path, *, name: str, port: int | None) -> None:
        """Prepare a server; nothing is started or written. Without `port` a free one is chosen."""
        self.folder = folder.resolve()
        self.name = name
        self.data = self.folder / name
        self.log = self.folder / f"{name}.log"
        self._password_file = self.folder / f"{name}.password"
        self._lock = FolderLock(self.folder / f"{name}.lock")
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether our server process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the server. Raises ServerNotRunning."""
        if self._process is None or not self.is_running:
            raise ServerNotRunning(server=self.name)
        return self._process.pid

    @property
    def port(self) -> int:
        """The port on 127.0.0.1, known since the first start. Raises ServerNotRunning before that."""
        if self._port is None:
            raise ServerNotRunning(server=self.name)
        return self._port

    def start(self) -> None:
        """Start and return when the server answers. Running already: nothing.

        Raises AlreadyStarted if another owner has the folder, FolderNotOurs if another user does, PortTaken if the
        given or former port is not free, LeftoverDoesNotEnd, what the server's own preparation raises, and
        ServerDidNotStart with the reason from the log for everything else.
        """
        if self.is_running:
            return
        with refuse_what_is_not_ours(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            try:
                self._prepare()
                self._launch()
            except BaseException:
                self._end(self._at_once)
                self._lock.release()
                raise

    def stop(self) -> None:
        """Stop and let go of the folder; return when the process has ended, if need be by SIGKILL."""
        self._end(self._orderly)
        self._lock.release()

    def restart(self) -> None:
        """Stop and start on the same port, holding the folder all the time. Raises as `start` does."""
        self._end(self._orderly)
        self.start()

    def kill(self) -> None:
        """End the server with SIGKILL, as the kernel does when memory runs out. The folder stays ours.

        Raises ServerNotRunning.
        """
        if not self.is_running:
            raise ServerNotRunning(server=self.name)
        self._end(())

    @abstractmethod
    def _prepare(self) -> None:
        """Make ready whatever the process needs, and end what a crashed owner left."""

    @abstractmethod
    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        """Start the process. Raises OSError if that fails."""

    @abstractmethod
    def _answers(self, port: int, pid: int) -> bool:
        """Tell whether this very process is ready on the port."""

    @abstractmethod
    def _lacks_port(self, words: str) -> bool:
        """Tell from its last words whether the server ended because its port was taken."""

    def _may_try_again(self, words: str) -> bool:  # noqa: ARG002 - for the one server that has such a case
        """Tell from its last words whether the same start may work in a moment."""
        return False

    def _end(self, escalation: Escalation) -> None:
        if self._process is not None:
            end(self._process, escalation)

    def _launch(self) -> None:
        deadline = time.monotonic() + self._start_timeout.total_seconds()
        port = self._port or free_port()
        while (words := self._attempt(port, deadline)) is not None:
            if self._lacks_port(words):
                if self._port is not None:
                    raise PortTaken(server=self.name, port=port)
                port = free_port()
            elif self._may_try_again(words) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            else:
                raise self._refusal(reason_in(words))
        self._port = port

    def _attempt(self, port: int, deadline: float) -> str | None:
        """Start the process; return None when it is ready, or its last words if it ended."""
        written_before = log_size(self.log)
        try:
            self._process = self._spawn(port)
        except OSError as problem:
            raise self._refusal(f"{problem}.") from problem
        while self._process.poll() is None:
            if self._answers(port, self._process.pid):
                return None
            if time.monotonic() > deadline:
                raise self._refusal(f"it was not ready after {self._start_timeout}.")
            time.sleep(POLL_SECONDS)
        return log_since(self.log, written_before)

    def _refusal(self, reason: str) -> ServerDidNotStart:
        return ServerDidNotStart(server=self.name, reason=reason, log=self.log)
