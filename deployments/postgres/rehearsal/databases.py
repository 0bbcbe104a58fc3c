"""The databases of a rehearsal: copies of a clone, each for one try, dropped when it ends.

CREATE DATABASE with a TEMPLATE needs a source without sessions (E20 of the reliability study), so a clone is only read
in sessions that end before the next copy is made.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Self
from uuid import UUID

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session, Target, open_session, session
from deployments.postgres.stop import Stop

PATIENCE_SECONDS = 15.0  # for a session that was closed to be gone from the server
LOOK_SECONDS, CANCEL_SECONDS = 0.2, 5.0
KNOWS_STRATEGY, KNOWS_CLONING = 150000, 180000
# Above this, files are copied although that costs two checkpoints; below it, blocks through the WAL are faster (E20).
COPIED_AS_FILES_BYTES = 100_000_000
# The names of `backup.scratch`, and those of the copies of such a one.
LEFT = "SELECT datname::text FROM pg_catalog.pg_database WHERE datname LIKE 'lkt\\_%' ORDER BY 1"
COPY = re.compile(r"lkt_(?P<plane>[0-9a-f]{8})_rehearse_(?P<job>\d+)_(?P<fence>\d+)(?:_\d+)?")
OWNER = "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = %s"
SIZE = "SELECT pg_catalog.pg_database_size(%s::name)"


class Databases:
    """Makes, opens and drops the copies of one rehearsal. `server` leads to any database on the rehearsal server.

    A context manager: one session for making and dropping lasts as long as it, and so do those for reading. When a
    person asks to stop, what is under way in any of them is cancelled.
    """

    def __init__(self, server: Target, *, prefix: str, name: str, stop: Stop) -> None:
        """`prefix` begins the name of every copy, `name` is that of every session."""
        self.server, self.prefix, self.name, self.stop = server, prefix, name, stop
        self._numbers = itertools.count(1)
        self._readers: dict[str, Session] = {}
        self._opened: set[Session] = set()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._cancel_when_asked, name="cancelling", daemon=True)

    def __enter__(self) -> Self:
        """Open the session that makes and drops. Raises what `connect.open_session` raises."""
        self._administering = self._open("")
        self._administering.execute("SET statement_timeout = '30min'")  # a copy takes as long as its bytes
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all sessions."""
        self._closing.set()
        for opened in list(self._opened):
            self._close(opened)
        self._watch.join()

    @property
    def server_version(self) -> int:
        """The version of the rehearsal server, as server_version_num."""
        return self._administering.info.server_version

    @contextmanager
    def session(self, database: str) -> Iterator[Session]:
        """Open a session with a database of the rehearsal server, and close it after the block.

        Raises what `connect.open_session` raises.
        """
        opened = self._open(database)
        try:
            yield opened
        finally:
            self._close(opened)

    def reader(self, database: str) -> Session:
        """Return a session that leaves nothing behind in itself; it lasts until the database is copied or dropped."""
        found = self._readers.get(database)
        if found is None:
            found = self._readers[database] = self._open(database)
        return found

    @contextmanager
    def copy(self, of: str) -> Iterator[str]:
        """Make a copy of a database for the length of the block; return its name."""
        self.stop.require_may_start()
        name = f"{self.prefix}_{next(self._numbers)}"
        self._let_go(of)
        self._create(name, of)
        try:
            yield name
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a copy with everybody in it. It is no error if it is not there."""
        self._let_go(name)
        self._administering.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def size(self, name: str) -> int:
        """Return how many bytes a database takes."""
        row = self._administering.execute(SIZE, [name]).fetchone()
        return int(row[0]) if row else 0

    def _owner(self, name: str) -> str:
        """Return who owns a database: to it the schema public is open, as it is in the target."""
        row = self._administering.execute(OWNER, [name]).fetchone()
        return str(row[0]) if row else ""

    def _let_go(self, database: str) -> None:
        if (opened := self._readers.pop(database, None)) is not None:
            self._close(opened)

    def _open(self, database: str) -> Session:
        opened = open_session(replace(self.server, dbname=database or self.server.dbname), name=self.name)
        self._opened.add(opened)
        return opened

    def _close(self, opened: Session) -> None:
        self._opened.discard(opened)
        opened.close()

    def _cancel_when_asked(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            if self.stop.cancel_requested:
                for opened in list(self._opened):
                    if opened is not self._administering:  # which is needed to drop what is there
                        with suppress(psycopg.Error):
                            opened.cancel_safe(timeout=CANCEL_SECONDS)

    def _create(self, name: str, of: str) -> None:
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(of), sql.Identifier(self._owner(of))
        )
        is_large = self.size(of) > COPIED_AS_FILES_BYTES
        if self.server_version >= KNOWS_CLONING and is_large:
            self._administering.execute("SET file_copy_method = 'clone'")  # where the file system shares blocks
        if self.server_version >= KNOWS_STRATEGY:
            command += sql.SQL(" STRATEGY FILE_COPY" if is_large else " STRATEGY WAL_LOG")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._administering.execute(command)
            except psycopg.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise
                self.stop.wait(0.05)
            else:
                return


def drop_left_copies(
    server: Target, control_plane_id: UUID, *, is_alive: Callable[[int, int], bool], name: str
) -> list[str]:
    """Drop the clones and copies that executors left which are gone; return the names.

    `is_alive` is asked with job and fence, `name` is that of the session. Raises what opening a session raises.
    """
    dropped = []
    with session(server, name=name) as opened:
        opened.execute("SET statement_timeout = '10min'")
        for (found,) in opened.execute(LEFT).fetchall():
            told = COPY.fullmatch(found)
            if told is None or told["plane"] != control_plane_id.hex[:8]:
                continue
            if not is_alive(int(told["job"]), int(told["fence"])):
                opened.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(found)))
                dropped.append(found)
    return dropped


def size_of(opened: Session) -> int:
    """Return how many bytes the database of a session takes."""
    row = opened.execute("SELECT pg_catalog.pg_database_size(pg_catalog.current_database())").fetchone()
    return int(row[0]) if row else 0
