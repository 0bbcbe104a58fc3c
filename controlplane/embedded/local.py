"""The two servers of local mode, with the roles and the database that the product needs."""

import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from controlplane.embedded.binaries import PostgresBinaries
from controlplane.embedded.control_database import SignIn, ensure_control_database
from controlplane.embedded.errors import DatabaseHalfGiven, ServerEnded
from controlplane.embedded.interruptions import Interruptions
from controlplane.embedded.lock import FolderLock, refuse_what_is_not_ours
from controlplane.embedded.passwords import kept_password
from controlplane.embedded.postgres import PostgresServer
from controlplane.embedded.redis import RedisServer

DATABASE = "locktender"
OWNER_ROLE = "locktender_owner"
APP_ROLE = "locktender_app"
LOCK = "lock"
GIVEN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
"""Variables that name servers which are there already."""


class LocalServers:
    """PostgreSQL and Redis for one checkout, for the length of a `with` block.

    A server whose address is given in the environment is not started; the given address is passed on. In the
    main thread, Ctrl-C, SIGTERM and a closed terminal leave the block in order: what was started is stopped,
    last first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        given: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: PostgresBinaries | None = None,
        durable: bool = True,
    ) -> None:
        """Prepare; nothing is started or written.

        `given` is the environment to look into, by default this process's; an empty value counts as absent.
        `settings`, `binaries` and `durable` are those of PostgresServer.

        Raises DatabaseHalfGiven if only one of DATABASE_URL and DATABASE_OWNER_URL is given.
        """
        environment = os.environ if given is None else given
        self._given = {name: environment[name] for name in GIVEN if environment.get(name)}
        self._require_both_or_neither()
        self.folder = folder.resolve()
        self.postgres = (
            None
            if "DATABASE_URL" in self._given
            else PostgresServer(self.folder, settings=settings, binaries=binaries, durable=durable)
        )
        self.redis = None if "REDIS_URL" in self._given else RedisServer(self.folder)
        self._stack = ExitStack()
        self._interruptions = Interruptions()

    def __enter__(self) -> Self:
        """Start what was not given.

        Raises AlreadyStarted, with the holder's process id, if this folder is in use, FolderNotOurs, and what
        the servers raise.
        """
        with ExitStack() as started, refuse_what_is_not_ours(self.folder):
            self._interruptions.install()
            started.callback(self._interruptions.remove)
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(self.folder / LOCK)
            lock.acquire()
            started.callback(lock.release)
            if self.postgres is not None:
                started.enter_context(self.postgres)
                self._ensure_database(self.postgres)
            if self.redis is not None:
                started.enter_context(self.redis)
            self._interruptions.resume()
            self._stack = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started, last first, and let go of the folder."""
        self._interruptions.hold()
        self._stack.close()

    def discard(self) -> None:
        """Remove everything in the folder. Servers of a crashed owner are ended first; nothing is started.

        Raises AlreadyStarted while somebody uses the folder, FolderNotOurs and LeftoverDoesNotEnd.
        """
        if not self.folder.exists():
            return
        with refuse_what_is_not_ours(self.folder):
            lock = FolderLock(self.folder / LOCK)
            lock.acquire()
            try:
                for server in (self.postgres, self.redis):
                    if server is not None:
                        server.clear_leftover()
                for path in self.folder.iterdir():
                    if path.name != LOCK:  # it stays taken until all is gone
                        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            finally:
                lock.release()

    def require_running(self) -> None:
        """Return if every server that was started still runs. Raises ServerEnded."""
        for server in (self.postgres, self.redis):
            if server is not None and not server.is_running:
                raise ServerEnded(server=server.name, log=server.log)

    def environment(self) -> dict[str, str]:
        """Return DATABASE_URL (the application's role), DATABASE_OWNER_URL (the owner's) and REDIS_URL.

        They hold passwords: for the environment of child processes, not for logs or argument lists.
        """
        addresses = dict(self._given)
        if self.postgres is not None:
            addresses["DATABASE_URL"] = self._database_url(self.postgres, APP_ROLE)
            addresses["DATABASE_OWNER_URL"] = self._database_url(self.postgres, OWNER_ROLE)
        if self.redis is not None:
            addresses["REDIS_URL"] = self.redis.url
        return addresses

    def _ensure_database(self, postgres: PostgresServer) -> None:
        owner, application = (SignIn(role, self._password(role)) for role in (OWNER_ROLE, APP_ROLE))
        ensure_control_database(
            lambda name: psycopg.connect(postgres.superuser_url(name), autocommit=True),
            DATABASE,
            owner=owner,
            application=application,
        )

    def _database_url(self, postgres: PostgresServer, role: str) -> str:
        return postgres.url(DATABASE, role=role, password=self._password(role))

    def _password(self, role: str) -> str:
        return kept_password(self.folder / f"{role}.password")

    def _require_both_or_neither(self) -> None:
        pair = ("DATABASE_URL", "DATABASE_OWNER_URL")
        for given, missing in (pair, pair[::-1]):
            if given in self._given and missing not in self._given:
                raise DatabaseHalfGiven(given=given, missing=missing)
