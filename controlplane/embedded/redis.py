"""A Redis-compatible server of our own: its life as a child process.

It listens on TCP with a password, not on a unix socket: one kind of address serves Celery, redis-py and
production, and no path is too long. Any local user can reach the port, so the password is required.
"""

import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from controlplane.embedded.binaries import REDIS_PROGRAMS, find_redis
from controlplane.embedded.errors import PortTaken, ServerDidNotStart, ServerNotRunning
from controlplane.embedded.lock import FolderLock
from controlplane.embedded.passwords import kept_password, write_private
from controlplane.embedded.processes import (
    LOOPBACK,
    POLL_SECONDS,
    end,
    end_leftover,
    free_port,
    log_since,
    log_size,
    reason_in,
    spawn,
)

_START_TIMEOUT = timedelta(seconds=30)
_ANSWER_TIMEOUT_SECONDS = 0.5
_ORDERLY = ((signal.SIGTERM, timedelta(seconds=20)),)


class RedisServer:
    """A server on a port of 127.0.0.1, with its data, log, lock, configuration and password in `folder`, by `name`.

    Everything accepted is in an append-only file, written out every second. When memory is short it refuses
    writes and never drops a message. One owner at a time, as for PostgresServer. It runs as the caller, root
    included: unlike PostgreSQL it allows that, and it reads nothing that others can write.
    """

    def __init__(
        self, folder: Path, *, name: str = "redis", port: int | None = None, program: Path | None = None
    ) -> None:
        """Prepare a server; nothing is started or written. Without `port` a free one is chosen."""
        self.folder = folder.resolve()
        self.name = name
        self.data = self.folder / name
        self.log = self.folder / f"{name}.log"
        self._configuration = self.folder / f"{name}.conf"
        self._pid_file = self.folder / f"{name}.pid"
        self._password_file = self.folder / f"{name}.password"
        self._lock = FolderLock(self.folder / f"{name}.lock")
        self._port = port
        self._program = program
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

    @property
    def url(self) -> str:
        """The address, password included: not for logs or argument lists. Raises ServerNotRunning before a start."""
        return f"redis://:{kept_password(self._password_file)}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start and return when commands are answered. Running already: nothing.

        Raises AlreadyStarted if another owner has the folder, PortTaken if the given or former port is not
        free, RedisNotFound, LeftoverDoesNotEnd, and ServerDidNotStart with the reason from the log for everything else.
        """
        if self.is_running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self.data.mkdir(mode=0o700, exist_ok=True)
            self._program = self._program or find_redis()
            self._clear_leftover()
            self._launch(self._program)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop and let go of the folder; return when the process has ended, if need be by SIGKILL."""
        if self._process is not None:
            end(self._process, _ORDERLY)
        self._lock.release()

    def restart(self) -> None:
        """Stop and start on the same port, holding the folder all the time. Raises as `start` does."""
        if self._process is not None:
            end(self._process, _ORDERLY)
        self.start()

    def kill(self) -> None:
        """End the server with SIGKILL. The folder stays ours. Raises ServerNotRunning."""
        if self._process is None or not self.is_running:
            raise ServerNotRunning(server=self.name)
        end(self._process, ())

    def _clear_leftover(self) -> None:
        try:
            written = self._pid_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        if not written.isdigit():
            return
        for program in REDIS_PROGRAMS:  # another one may have been installed since
            end_leftover(int(written), program=program, argument=str(self._configuration), escalation=_ORDERLY)

    def _launch(self, program: Path) -> None:
        deadline = time.monotonic() + _START_TIMEOUT.total_seconds()
        port = self._port or free_port()
        while (words := self._attempt(program, port, deadline)) is not None:
            if "ddress already in use" not in words:
                raise ServerDidNotStart(server=self.name, reason=reason_in(words), log=self.log)
            if self._port is not None:
                raise PortTaken(server=self.name, port=port)
            port = free_port()
        self._port = port

    def _attempt(self, program: Path, port: int, deadline: float) -> str | None:
        """Start the process; return None when it is ready, or its last words if it ended."""
        write_private(self._configuration, self._configured(port))
        written_before = log_size(self.log)
        try:
            self._process = spawn([program, self._configuration], log=self.log)
        except OSError as problem:
            raise ServerDidNotStart(server=self.name, reason=f"{problem}.", log=self.log) from problem
        while self._process.poll() is None:
            if self._answers(port, self._process.pid):
                return None
            if time.monotonic() > deadline:
                reason = f"it was not ready after {_START_TIMEOUT}."
                raise ServerDidNotStart(server=self.name, reason=reason, log=self.log)
            time.sleep(POLL_SECONDS)
        return log_since(self.log, written_before)

    def _configured(self, port: int) -> str:
        lines = (
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {kept_password(self._password_file)}",
            f"dir {_quoted(self.data)}",
            f"pidfile {_quoted(self._pid_file)}",
            'logfile ""',
            "daemonize no",
            # The next owner recognises us by the configuration file in our arguments.
            "set-proc-title no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        )
        return "\n".join(lines) + "\n"

    def _answers(self, port: int, pid: int) -> bool:
        """Whether our process answers there: a stranger on the port would answer something else, or not to us."""
        client = Redis(
            host=LOOPBACK,
            port=port,
            password=kept_password(self._password_file),
            socket_timeout=_ANSWER_TIMEOUT_SECONDS,
            socket_connect_timeout=_ANSWER_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # whether the process still lives is looked at before the next try
        )
        try:
            facts = cast("dict[str, object]", client.info("server"))
        except RedisError:
            return False  # not listening yet, or still loading
        finally:
            client.close()
        return facts.get("process_id") == pid


def _quoted(path: Path) -> str:
    """Return a path as a word of the configuration file, whatever characters it has."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in str(path).encode(errors="surrogateescape")) + '"'
