"""A Redis-compatible server of our own: its life as a child process.

It listens on TCP with a password, not on a unix socket: one kind of address serves Celery, redis-py and
production, and no path is too long. Any local user can reach the port, so the password is required.
"""

import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import cast

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from controlplane.embedded.binaries import REDIS_PROGRAMS, find_redis
from controlplane.embedded.passwords import kept_password, write_private
from controlplane.embedded.processes import LOOPBACK, end_leftover, spawn
from controlplane.embedded.server import EmbeddedServer

_ANSWER_TIMEOUT_SECONDS = 0.5


class RedisServer(EmbeddedServer):
    """A Redis-compatible server, with its configuration and password in the folder too.

    Everything accepted is in an append-only file, written out every second. When memory is short it refuses
    writes and never drops a message. It runs as the caller, root included: unlike PostgreSQL it allows that,
    and it reads nothing that others can write.
    """

    _start_timeout = timedelta(seconds=30)
    _orderly = ((signal.SIGTERM, timedelta(seconds=20)),)
    _at_once = _orderly

    def __init__(
        self, folder: Path, *, name: str = "redis", port: int | None = None, program: Path | None = None
    ) -> None:
        """Prepare a server; nothing is started or written. Without `port` a free one is chosen."""
        super().__init__(folder, name=name, port=port)
        self._configuration = self.folder / f"{name}.conf"
        self._pid_file = self.folder / f"{name}.pid"
        self._program = program

    @property
    def url(self) -> str:
        """The address, password included: not for logs or argument lists. Raises ServerNotRunning before a start."""
        return f"redis://:{kept_password(self._password_file)}@{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        """Find the program. Raises RedisNotFound and LeftoverDoesNotEnd."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._program = self._program or find_redis()
        self.clear_leftover()

    def clear_leftover(self) -> None:
        """End a server that a crashed owner left running on this folder. Raises LeftoverDoesNotEnd."""
        try:
            written = self._pid_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        if not written.isdigit():
            return
        for program in REDIS_PROGRAMS:  # another one may have been installed since
            end_leftover(int(written), program=program, argument=str(self._configuration), escalation=self._orderly)

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        write_private(self._configuration, self._configured(port))
        return spawn([self._program or find_redis(), self._configuration], log=self.log)

    def _lacks_port(self, words: str) -> bool:
        return "ddress already in use" in words

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
