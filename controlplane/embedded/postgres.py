"""A PostgreSQL server of our own: its life as a child process, and the roles and databases in it."""

import signal
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg

from controlplane.embedded import postgres_access, postgres_data
from controlplane.embedded.binaries import PostgresBinaries, find_postgres
from controlplane.embedded.errors import PasswordMissing
from controlplane.embedded.identity import CALLER, unprivileged
from controlplane.embedded.passwords import kept_password, new_password
from controlplane.embedded.processes import LOOPBACK, Escalation, spawn
from controlplane.embedded.server import EmbeddedServer

StopMode = Literal["fast", "immediate"]

SUPERUSER = "postgres"
_FAST = (signal.SIGINT, timedelta(seconds=60))
_IMMEDIATE = (signal.SIGQUIT, timedelta(seconds=10))
_ESCALATIONS: dict[StopMode, Escalation] = {"fast": (_FAST, _IMMEDIATE), "immediate": (_IMMEDIATE,)}


class PostgresServer(EmbeddedServer):
    """A PostgreSQL server, with its superuser's password in the folder too."""

    _start_timeout = timedelta(minutes=2)  # after a crash everything since the last checkpoint is replayed first
    _orderly = _ESCALATIONS["fast"]
    _at_once = _ESCALATIONS["immediate"]

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
        super().__init__(folder, name=name, port=port)
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._durable = durable
        self._identity = CALLER

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

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop and let go of the folder; return when the process has ended.

        "fast" ends the sessions and writes everything out. "immediate" ends at once, as in a crash: nothing
        committed is lost, the next start recovers. A server that does not react is stopped harder, in the end
        with SIGKILL.
        """
        self._end(_ESCALATIONS[mode])
        self._lock.release()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same port, holding the folder all the time. Raises as `start` does."""
        self._end(_ESCALATIONS[mode])
        self.start()

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

    def clear_leftover(self) -> None:
        """End a server that a crashed owner left running on this folder. Raises LeftoverDoesNotEnd."""
        postgres_data.clear_leftover(self.data)

    def _prepare(self) -> None:
        """Make the data folder, or see that this server can run on it.

        Raises OtherDataVersion, PasswordMissing, InitialisationFailed, CannotLeaveRoot, PostgresNotFound,
        ProgramUnusable and LeftoverDoesNotEnd.
        """
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
        self.clear_leftover()
        self._identity.take(self.data)  # an earlier start may have found another way to leave root

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        fixed = {"listen_addresses": LOOPBACK, "port": str(port), "unix_socket_directories": ""}
        settings = [f"--{name}={value}" for name, value in (self._settings | fixed).items()]
        return spawn(
            [self.binaries.program("postgres"), "-D", self.data, *settings],
            log=self.log,
            environment=postgres_data.ENVIRONMENT,
            identity=self._identity,
        )

    def _answers(self, port: int, pid: int) -> bool:  # noqa: ARG002 - the port is in the file that says so
        return postgres_data.is_ready(self.data, pid=pid)

    def _lacks_port(self, words: str) -> bool:
        return "could not bind" in words

    def _may_try_again(self, words: str) -> bool:
        """Sessions of a killed postmaster are about to notice."""
        return "pre-existing shared memory block" in words
