"""A PostgreSQL server of our own: its life as a child process, and the roles and databases in it."""

import signal
import subprocess
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import psycopg

from controlplane.embedded import postgres_access, postgres_data
from controlplane.embedded.binaries import PostgresBinaries, find_postgres
from controlplane.embedded.errors import PasswordMissing, PortTaken, ServerDidNotStart, ServerNotRunning
from controlplane.embedded.identity import CALLER, unprivileged
from controlplane.embedded.lock import FolderLock
from controlplane.embedded.passwords import kept_password, new_password
from controlplane.embedded.processes import (
    LOOPBACK,
    POLL_SECONDS,
    end,
    free_port,
    log_since,
    log_size,
    reason_in,
    spawn,
)

StopMode = Literal["fast", "immediate"]

SUPERUSER = "postgres"
_START_TIMEOUT = timedelta(minutes=2)  # after a crash everything since the last checkpoint is replayed first
_FAST = (signal.SIGINT, timedelta(seconds=60))
_IMMEDIATE = (signal.SIGQUIT, timedelta(seconds=10))
_ESCALATIONS = {"fast": (_FAST, _IMMEDIATE), "immediate": (_IMMEDIATE,)}


class PostgresServer:
    """A server on a port of 127.0.0.1, with its data, log, lock and superuser password in `folder`, named by `name`.

    One owner at a time: `start` takes the folder's lock and `stop` gives it back. What a crashed owner left
    running is ended by the next start. The address stays the same as long as the object lives.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "postgres",
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: PostgresBinaries | None = None,
        durable: bool = True,
    ) -> None:
        """Prepare a server; nothing is started or written.

        Without `port` a free one is chosen. `settings` are server settings such as {"fsync": "off"}; they
        show in the list of processes. Without `binaries` they are looked for at the first start. `durable` is
        about the making of a new data folder only: without it, it is faster and may be lost in a power
        failure.
        """
        self.folder = folder.resolve()
        self.name = name
        self.data = self.folder / name
        self.log = self.folder / f"{name}.log"
        self._password_file = self.folder / f"{name}.password"
        self._lock = FolderLock(self.folder / f"{name}.lock")
        self._port = port
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._durable = durable
        self._identity = CALLER
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
        """The process id of the postmaster. Raises ServerNotRunning."""
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
    def binaries(self) -> PostgresBinaries:
        """The programs in use; pg_dump must be of this set. Raises PostgresNotFound, ProgramUnusable."""
        if self._binaries is None:
            self._binaries = find_postgres()
        return self._binaries

    def url(self, database: str, *, role: str, password: str) -> str:
        """Return the address of a database for one role. It holds the password: not for logs or argument lists."""
        sign_in = f"{quote(role, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{sign_in}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def superuser_url(self, database: str = "postgres") -> str:
        """Return the address of a database for the superuser, password included."""
        return self.url(database, role=SUPERUSER, password=kept_password(self._password_file))

    def start(self) -> None:
        """Start and return when connections are accepted; a new data folder is made first. Running already: nothing.

        Raises AlreadyStarted if another owner has the folder, PortTaken if the given or former port is not free,
        OtherDataVersion, PasswordMissing, InitialisationFailed, CannotLeaveRoot, PostgresNotFound, ProgramUnusable,
        LeftoverDoesNotEnd, and ServerDidNotStart with the reason from the log for everything else.
        """
        if self.is_running:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._prepare_data()
            self._launch()
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop and let go of the folder; return when the process has ended.

        "fast" ends the sessions and writes everything out. "immediate" ends at once, as in a crash: nothing
        committed is lost, the next start recovers. A server that does not react is stopped harder, in the end
        with SIGKILL.
        """
        self._end(mode)
        self._lock.release()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same port, holding the folder all the time. Raises as `start` does."""
        self._end(mode)
        self.start()

    def kill(self) -> None:
        """End the postmaster with SIGKILL, as the kernel does when memory runs out. The folder stays ours.

        The processes of its sessions notice by themselves within moments. Raises ServerNotRunning.
        """
        if self._process is None or not self.is_running:
            raise ServerNotRunning(server=self.name)
        end(self._process, ())

    def ensure_role(self, name: str, *, password: str, creates_databases: bool = False) -> None:
        """Make the role, or change it to this, so that it signs in with this password and has no other power."""
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            postgres_access.ensure_role(connection, name, password=password, creates_databases=creates_databases)

    def ensure_database(self, name: str, *, owner: str) -> None:
        """Make the database, or change it to this, so that this role owns it and may alone create in schema public.

        Nobody else may even connect, until it is granted.
        """
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            postgres_access.ensure_database(connection, name, owner=owner)
        with psycopg.connect(self.superuser_url(name)) as connection:
            postgres_access.close_public_schema(connection, owner=owner)

    def _prepare_data(self) -> None:
        self._identity = unprivileged(self.folder, self.binaries.program("postgres"))
        if not self.data.exists():
            # The password is kept first: a data folder without one could not be opened.
            postgres_data.initialise(
                self.data,
                binaries=self.binaries,
                identity=self._identity,
                superuser=SUPERUSER,
                password=new_password(self._password_file),
                log=self.log,
                durable=self._durable,
            )
        if not self._password_file.exists():
            raise PasswordMissing(folder=self.data, password_file=self._password_file)
        postgres_data.remove_unfinished(self.data)
        postgres_data.require_version(self.data, major=self.binaries.major)
        postgres_data.clear_leftover(self.data)
        self._identity.take(self.data)  # an earlier start may have found another way to leave root

    def _launch(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT.total_seconds()
        port = self._port or free_port()
        while (words := self._attempt(port, deadline)) is not None:
            if "could not bind" in words:
                if self._port is not None:
                    raise PortTaken(server=self.name, port=port)
                port = free_port()
            elif "pre-existing shared memory block" in words and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)  # sessions of a killed postmaster are about to notice
            else:
                raise ServerDidNotStart(server=self.name, reason=reason_in(words), log=self.log)
        self._port = port

    def _attempt(self, port: int, deadline: float) -> str | None:
        """Start the process; return None when it is ready, or its last words if it ended."""
        fixed = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": ""}
        settings = [f"--{name}={value}" for name, value in (self._settings | fixed).items()]
        written_before = log_size(self.log)
        try:
            self._process = spawn(
                [self.binaries.program("postgres"), "-D", self.data, *settings],
                log=self.log,
                environment=postgres_data.ENVIRONMENT,
                identity=self._identity,
            )
        except OSError as problem:
            raise ServerDidNotStart(server=self.name, reason=f"{problem}.", log=self.log) from problem
        while self._process.poll() is None:
            if postgres_data.is_ready(self.data, pid=self._process.pid):
                return None
            if time.monotonic() > deadline:
                reason = f"it was not ready after {_START_TIMEOUT}."
                raise ServerDidNotStart(server=self.name, reason=reason, log=self.log)
            time.sleep(POLL_SECONDS)
        return log_since(self.log, written_before)

    def _end(self, mode: StopMode) -> None:
        if self._process is not None:
            end(self._process, _ESCALATIONS[mode])
