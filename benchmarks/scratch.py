"""A server of a benchmark's own, and what one statement does there: locks, files written anew, and server notices.

Strangers' SQL runs here. So the server is on loopback and thrown away, the role is no superuser and cannot leave the
database (no programs, no files of the server, no untrusted extension), and every statement has STATEMENT_SECONDS.
"""

import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from checks.locks import Mode, Work
from checks.model import Name
from controlplane.embedded import PostgresServer, find_postgres

STATEMENT_SECONDS = 20
ROLE, PASSWORD = "bench", "of the benchmark only"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_locks_per_transaction": "512",
    "timezone": "UTC",
    "createrole_self_grant": "set, inherit",  # who makes a role may act as it, as a superuser may
}
_ENDS_TRANSACTION = "2D000"  # a procedure that commits on its own
_FIRST_OF_USERS = 16384  # the object ids below are the server's own
_BEGIN = f"BEGIN; SET LOCAL client_min_messages = debug1; SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"
_RELATIONS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, coalesce(pg_relation_filenode(c.oid), 0)::bigint,
       coalesce(i.indrelid, 0)::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.oid >= %s AND n.nspname !~ '^pg_(toast|temp)' AND n.nspname <> 'information_schema'
"""
_LOCKS = """
SELECT relation::bigint, mode FROM pg_locks
WHERE pid = %s AND locktype = 'relation' AND relation >= %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"
_NOTICES = (
    (re.compile(r'rewriting table "(.*)"'), Work.REWRITE),
    (re.compile(r'verifying table "(.*)"'), Work.SCAN),
    (re.compile(r'building index "(?!pg_toast).*" on table "(.*?)"'), Work.BUILD),
)
_KEY_CHECK = re.compile(r'validating foreign key constraint "(.*)"')
_MODES = {mode.name.replace("_", "") + "LOCK": mode for mode in Mode}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a statement did to relations that were there before the file. An error: it did nothing.

    `is_whole` is False when the locks of a statement outside a transaction could not be seen: it waited for nobody.
    """

    locks: Mapping[Name, Mode] = field(default_factory=dict)
    work: Mapping[Name, frozenset[Work]] = field(default_factory=dict)
    error: str = ""
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class _Relation:
    name: Name
    kind: str
    file: int
    table: int  # of an index

    @property
    def is_index(self) -> bool:
        return self.kind in {"i", "I"}


@contextmanager
def started(programs: Path | None = None) -> Iterator["Scratch"]:
    """Yield an empty database on a server that is made for it and thrown away; `programs` may be of another version."""
    with tempfile.TemporaryDirectory(prefix="locktender-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # a server that left root must get through
        binaries = find_postgres([programs] if programs else None)
        server = PostgresServer(folder / "server", settings=SETTINGS, binaries=binaries, durable=False)
        server.start()
        try:
            with psycopg.connect(server.superuser_url(), autocommit=True) as session:
                session.execute(f"CREATE ROLE {ROLE} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
                session.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
            with psycopg.connect(server.superuser_url(ROLE), autocommit=True) as session:
                session.execute(f"ALTER SCHEMA public OWNER TO {ROLE}")
            address = server.url(ROLE, role=ROLE, password=PASSWORD)
            # DISCARD ALL takes prepared statements away, so none is prepared.
            one = psycopg.connect(address, autocommit=True, prepare_threshold=None)
            with one, psycopg.connect(address, autocommit=True) as other:
                yield Scratch(one, other, binaries.major)
        finally:
            server.stop("immediate")


class Scratch:
    """One database, statement by statement. Each runs in a transaction of its own, so that its locks are its own."""

    def __init__(self, session: Connection[Any], other: Connection[Any], version: int) -> None:
        """Take two sessions on the same empty database: one that works, and one that looks on."""
        self.version = version
        self.session = session
        self._other = other
        self._notices: list[str] = []
        self._relations: dict[int, _Relation] = {}
        self._old: frozenset[int] = frozenset()
        self._local: list[str] = []
        self._pid = session.info.backend_pid
        session.add_notice_handler(lambda notice: self._notices.append(notice.message_primary or ""))

    def begin_file(self) -> None:
        """From here on a new file is run: what is there now is what was there before it."""
        # A tool starts each file, or each call, with a session like new; some files leave an empty search path behind.
        self.session.execute("DISCARD ALL")
        self._local = []
        self._load()
        self._old = frozenset(self._relations)

    def is_old(self, name: Name) -> bool:
        """Tell whether the relation that has this name now was there before the file."""
        return any(self._relations[oid].name == name for oid in self._old if oid in self._relations)

    def stay_local(self, sql: str) -> None:
        """Repeat a statement before every later one of this file, as SET LOCAL would hold there."""
        self._local.append(sql)

    def run(self, sql: str) -> Measured:
        """Run a statement in its own transaction and return what it did. A statement that fails changes nothing."""
        try:
            self.session.execute(";".join((_BEGIN, *self._local)))
            self._notices.clear()
            self.session.execute(sql)
            notices = tuple(self._notices)
            taken = self.session.execute(_LOCKS, [self._pid, _FIRST_OF_USERS]).fetchall()
            now = self._look([oid for oid, _ in taken])
            checked = self._tables_of_keys(notices)
            self.session.execute("COMMIT")
        except psycopg.Error as error:
            self.session.execute("ROLLBACK")
            if error.sqlstate == _ENDS_TRANSACTION:
                return self.run_alone(sql)
            return Measured(error=_first_line(error))
        measured = Measured(self._strongest(taken), self._work(notices, taken, now, checked))
        # A change of a type makes indexes anew: they are the old ones for those who use the table.
        old_indexes = {one.name for oid in self._old if (one := self._relations.get(oid)) and one.is_index}
        self._old |= {oid for oid, one in now.items() if one.is_index and one.name in old_indexes}
        self._relations |= now
        return measured

    def run_alone(self, sql: str) -> Measured:
        """Run a statement that refuses a transaction. Its locks are seen while it waits for another session."""
        self.session.execute(f"SET client_min_messages = debug1; SET statement_timeout = '{STATEMENT_SECONDS}s'")
        self._notices.clear()
        failed: list[psycopg.Error] = []

        def work() -> None:
            try:
                self.session.execute(sql)
            except psycopg.Error as error:
                failed.append(error)

        taken = self._while_waiting(threading.Thread(target=work))
        if failed:
            self.session.execute("RESET client_min_messages")
            return Measured(error=_first_line(failed[0]))
        notices = tuple(self._notices)
        locks = self._strongest(taken or [])
        oids = [oid for oid, _ in taken or []]
        done = self._work(notices, taken or [], self._look(oids), {})
        # What a statement of this kind writes anew keeps its users working meanwhile: no rewrite under a lock.
        work_done = {name: kinds - {Work.REWRITE} for name, kinds in done.items()}
        self._load()
        self.session.execute("RESET client_min_messages")
        return Measured(locks, work_done, is_whole=taken is not None)

    def _while_waiting(self, worker: threading.Thread) -> list[tuple[int, str]] | None:
        """Return the locks that a statement held when it first waited for the other session; None if it never did."""
        other = self._other
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        tables = [one.name for one in self._relations.values() if one.kind in {"r", "p"}]
        for table in tables:
            other.execute(f'LOCK TABLE ONLY "{table.schema}"."{table.name}" IN ACCESS SHARE MODE')
        other.execute("SELECT 1 FROM pg_class LIMIT 1")  # takes the snapshot that the statement waits for
        worker.start()
        taken: list[tuple[int, str]] | None = None
        deadline = time.monotonic() + STATEMENT_SECONDS
        while worker.is_alive() and time.monotonic() < deadline:
            waits = other.execute(_WAITS, [self._pid]).fetchone()
            if waits and waits[0]:
                taken = other.execute(_LOCKS, [self._pid, _FIRST_OF_USERS]).fetchall()
                break
            worker.join(0.002)
        other.execute("ROLLBACK")
        worker.join(2 * STATEMENT_SECONDS)
        return taken

    def _load(self) -> None:
        self._relations = self._look(None)

    def _look(self, oids: list[int] | None) -> dict[int, _Relation]:
        asked = "" if oids is None else "AND c.oid = ANY(%s)"
        values: list[Any] = [_FIRST_OF_USERS] if oids is None else [_FIRST_OF_USERS, oids]
        return {
            oid: _Relation(Name(schema, name), kind, file, table)
            for oid, schema, name, kind, file, table in self.session.execute(_RELATIONS + asked, values)
        }

    def _old_one(self, oid: int) -> _Relation | None:
        """Return a relation of before the file, by its name before the statement; for an index, its table."""
        found = self._relations.get(oid) if oid in self._old else None
        return self._old_one(found.table) if found and found.is_index else found

    def _strongest(self, taken: list[tuple[int, str]]) -> dict[Name, Mode]:
        locks: dict[Name, Mode] = {}
        for oid, mode in taken:
            if (found := self._old_one(oid)) is not None:
                locks[found.name] = max(_MODES[mode.upper()], locks.get(found.name, Mode.ACCESS_SHARE))
        return locks

    def _work(
        self,
        notices: tuple[str, ...],
        taken: list[tuple[int, str]],
        now: Mapping[int, _Relation],
        checked: Mapping[str, int],
    ) -> dict[Name, frozenset[Work]]:
        work: dict[Name, set[Work]] = {}
        locked = {oid for oid, _ in taken}
        names = {one.name.name: one.name for oid in locked if (one := self._old_one(oid)) is not None}
        # The server names no schema: what may be a new table of the same name is not counted.
        for oid, one in now.items():
            if oid not in self._old and not one.is_index:
                names.pop(one.name.name, None)
        for notice in notices:
            for form, kind in _NOTICES:
                if (match := form.match(notice)) and match[1] in names:
                    work.setdefault(names[match[1]], set()).add(kind)
            if (match := _KEY_CHECK.match(notice)) and (table := self._old_one(checked.get(match[1], 0))):
                work.setdefault(table.name, set()).add(Work.KEY_CHECK)
        for oid in locked:
            was, found = self._relations.get(oid), self._old_one(oid)
            if was and found and oid in now and not was.is_index and was.kind != "S" and was.file != now[oid].file:
                work.setdefault(found.name, set()).add(Work.REWRITE)
        return {name: frozenset(kinds) for name, kinds in work.items()}

    def _tables_of_keys(self, notices: tuple[str, ...]) -> dict[str, int]:
        """Return the table of each foreign key that was checked."""
        names = [match[1] for notice in notices if (match := _KEY_CHECK.match(notice))]
        if not names:
            return {}
        query = "SELECT conname, conrelid::bigint FROM pg_constraint WHERE contype = 'f' AND conname = ANY(%s)"
        return dict(self.session.execute(query, [names]).fetchall())


def _first_line(error: psycopg.Error) -> str:
    return f"{error.sqlstate or '-'}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
