"""What a statement does while it runs: locks, rewrites, rows, WAL, temporary bytes (E27 of the reliability study)."""

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from checks.rehearsal.proof import Traced
from checks.statements import parse
from deployments.postgres.connect import Session
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.script import Script, Sent

# The weakest first, so that the place is the strength.
MODES = (
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
    "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip
# Whatever search path a script has set.
RELATIONS = """
SELECT relation.oid, CASE namespace.nspname WHEN 'public' THEN '' ELSE namespace.nspname || '.' END || relation.relname,
  pg_catalog.pg_relation_filenode(relation.oid)
FROM pg_catalog.pg_class relation JOIN pg_catalog.pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p', 'm', 'v', 'S', 'f') AND namespace.nspname !~ '^(pg_|information_schema$)'
"""
LOCKS = """
SELECT relation, mode FROM pg_catalog.pg_locks
WHERE pid = %s AND locktype = 'relation' AND granted
  AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
WRITTEN = "SELECT pg_catalog.pg_current_wal_insert_lsn()"
BETWEEN = "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), %s)::bigint"
# Every temporary file is reported when it is removed, with its size; only an administrator may ask for it.
ASK_TEMPORARY = "SET log_temp_files = 0; SET client_min_messages = 'log'"
TEMPORARY = re.compile(r'temporary file: path ".*", size (\d+)')
SAMPLE_SECONDS = 0.002


@dataclass(slots=True)
class Trace:
    """Collects what the statements of one session did. `names` are the relations that were there before the file."""

    opened: Session
    names: Mapping[int, str]
    traced: list[Traced] = field(default_factory=list)
    _temporary: list[int] | None = None
    _seen: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def statement(
        self, script: Script, sent: Sent, *, samples: Databases | None = None, at: str = ""
    ) -> Iterator["Rows"]:
        """Look before and after one statement. `samples` looks meanwhile, at the database `at`: it is not in ours."""
        files = _files(self.opened)
        start = self.opened.execute(WRITTEN).fetchone()
        if self._temporary is not None:
            self._temporary.clear()
        rows = Rows()
        sampled: dict[int, int] = {}
        began = time.perf_counter()
        if samples is None:
            yield rows
            seconds = time.perf_counter() - began
        else:
            with _sampling(samples, at, self.opened.info.backend_pid, sampled):
                yield rows
                seconds = time.perf_counter() - began
        held = sampled if samples is not None else _locks(self.opened, self.opened.info.backend_pid)
        now = _files(self.opened)
        wal = self.opened.execute(BETWEEN, [start[0]]).fetchone() if start else None
        taken = {oid: mode for oid, mode in held.items() if oid in self.names and mode > self._seen.get(oid, -1)}
        self._seen |= taken
        self.traced.append(
            Traced(
                migration=script.entry.migration,
                direction=script.entry.direction,
                number=sent.number,
                line=sent.line,
                kind=parse(sent.text).statements[0].kind,
                seconds=round(seconds, 6),
                locks=tuple(sorted((self.names[oid], MODES[mode]) for oid, mode in taken.items())),
                rewrites=tuple(
                    sorted(
                        self.names[oid] for oid, file in files.items() if oid in self.names and _moved(oid, file, now)
                    )
                ),
                rows=rows.count,
                wal_bytes=int(wal[0]) if wal else None,
                temp_bytes=None if self._temporary is None else sum(self._temporary),
                is_sampled=samples is not None,
            )
        )

    def listen(self) -> None:
        """Ask for the size of temporary files, where that is allowed."""
        try:
            self.opened.execute(ASK_TEMPORARY)
        except psycopg.errors.InsufficientPrivilege:
            return
        self._temporary = []
        self.opened.add_notice_handler(self._notice)

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        found = TEMPORARY.match(notice.message_primary or "")
        if found and self._temporary is not None:
            self._temporary.append(int(found[1]))


@dataclass(slots=True)
class Rows:
    """How many rows a statement changed; None if it was none of that kind."""

    count: int | None = None


def relations(opened: Session) -> dict[int, str]:
    """Return the relations of a database: oid -> name."""
    return {oid: name for oid, name, _ in opened.execute(RELATIONS).fetchall()}


def _files(opened: Session) -> dict[int, int | None]:
    return {oid: file for oid, _, file in opened.execute(RELATIONS).fetchall()}


def _moved(oid: int, file: int | None, now: Mapping[int, int | None]) -> bool:
    return file is not None and now.get(oid, file) != file


def _locks(opened: Session, pid: int) -> dict[int, int]:
    held: dict[int, int] = {}
    for oid, mode in opened.execute(LOCKS, [pid]).fetchall():
        held[oid] = max(held.get(oid, -1), MODES.index(mode) if mode in MODES else -1)
    return held


@contextmanager
def _sampling(databases: Databases, at: str, pid: int, into: dict[int, int]) -> Iterator[None]:
    """Look from another session at the locks of one, for the length of the block."""
    enough = threading.Event()

    def look() -> None:
        with suppress(psycopg.Error), databases.session(at) as opened:
            while not enough.is_set():
                for oid, mode in _locks(opened, pid).items():
                    into[oid] = max(into.get(oid, -1), mode)
                enough.wait(SAMPLE_SECONDS)

    thread = threading.Thread(target=look, name="sampling locks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join(10)
