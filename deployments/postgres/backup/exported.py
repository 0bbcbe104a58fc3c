"""The snapshot of a dump: a session that exports it, and what is measured in the very same snapshot meanwhile."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg

from deployments.postgres.backup.measure import (
    THE_LARGE_OBJECTS,
    Limits,
    Measured,
    Table,
    keys_of,
    measure,
    measure_large_objects,
    measure_plainly,
    sequences_of,
    tables_of,
    to_hash,
)
from deployments.postgres.backup.properties import Properties, read_properties
from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import Session, Target, session
from deployments.postgres.ledger import Identity, identity
from deployments.postgres.price.origin import Origin, read_origin
from deployments.postgres.stop import Stop

GRACE_SECONDS = 10.0  # for all that is left to count when the dump is done
HASH_GRACE_SECONDS = 3600.0  # the same where rows are hashed: without the hashes nothing can be proven
CANCEL_SECONDS = 5.0

# The session waits for hours while it exports: no limit of a role or a database may end it.
UNLIMITED = """
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
"""
# Read before the snapshot is taken: what was committed by then is in it.
MOMENT = "SELECT clock_timestamp(), pg_current_wal_lsn()::text"
# The types of a database that columns of these tables are of: pg_dump leaves them out when it is told tables.
ENUMS = """
SELECT format('%%I.%%I', namespace.nspname, kind.typname), array_agg(enumlabel::text ORDER BY enumsortorder)
FROM pg_enum JOIN pg_type kind ON kind.oid = enumtypid JOIN pg_namespace namespace ON namespace.oid = kind.typnamespace
WHERE kind.oid IN (
    SELECT unnest(ARRAY[used.oid, used.typelem, used.typbasetype]) FROM pg_attribute
    JOIN pg_type used ON used.oid = atttypid WHERE attrelid = ANY(%s) AND attnum > 0 AND NOT attisdropped)
GROUP BY 1 ORDER BY 1
"""
# Who is in the way of the sessions of this name. The server remembers within a transaction who was there at first.
FORGET = "SELECT pg_stat_clear_snapshot()"
IN_THE_WAY = """
SELECT DISTINCT lock.relation::regclass::text, other.pid, other.usename, other.application_name, other.state,
       extract(epoch FROM clock_timestamp() - other.xact_start)::bigint
FROM pg_locks lock JOIN pg_stat_activity ours ON ours.pid = lock.pid
CROSS JOIN unnest(pg_blocking_pids(lock.pid)) blocker (pid) JOIN pg_stat_activity other ON other.pid = blocker.pid
WHERE NOT lock.granted AND lock.relation IS NOT NULL AND ours.application_name = %s AND ours.pid <> pg_backend_pid()
  AND ours.datname = current_database() -- another installation's job may have the same number
"""


@dataclass(slots=True)
class Exported:
    """A snapshot that others can import for as long as its session lives."""

    opened: Session
    name: str  # of the session, and of those that import the snapshot
    snapshot: str
    at: datetime  # by the target's clock
    lsn: str
    identity: Identity
    server_version: int
    tables: list[Table]
    properties: Properties
    sequences: dict[str, int | None]  # before the dump
    origin: Origin
    keys: dict[int, list[str]]  # columns of each primary key, by the number of its table

    def enums_of(self, tables: Sequence[Table]) -> dict[str, list[str]]:
        """Return the enum types that columns of these tables are of: name as SQL -> labels in order."""
        with self.opened.transaction():
            return dict(self.opened.execute(ENUMS, [[table.oid for table in tables]]).fetchall())

    def in_the_way(self) -> list[str]:
        """Return for each lock that the sessions of this name wait for: of what, and who has it."""
        with self.opened.transaction():  # what fails in here does not end the snapshot
            self.opened.execute(FORGET)
            found = self.opened.execute(IN_THE_WAY, [self.name]).fetchall()
        return [
            f"{relation} is held by pid {pid} ({user}, {application or 'unnamed'}, {state}, in its transaction for "
            f"{seconds or 0} s)"
            for relation, pid, user, application, state, seconds in found
        ]


@contextmanager
def exporting(target: Target, *, name: str) -> Iterator[Exported]:
    """Hold a snapshot of a target for the length of the block. Raises what opening a session raises."""
    with session(target, name=name) as opened:
        opened.execute(UNLIMITED)
        moment = opened.execute(MOMENT).fetchone()
        opened.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        exported = opened.execute("SELECT pg_export_snapshot()").fetchone()
        assert moment is not None  # noqa: S101 # functions return one row
        assert exported is not None  # noqa: S101
        yield Exported(
            opened=opened,
            name=name,
            snapshot=exported[0],
            at=moment[0],
            lsn=moment[1],
            identity=identity(opened),
            server_version=opened.info.server_version,
            tables=tables_of(opened),
            properties=read_properties(opened),
            sequences=sequences_of(opened),
            origin=read_origin(opened),
            keys=keys_of(opened),
        )


class Measuring:
    """Measures in a thread of its own, while the dump runs. It has the session then: nobody else uses it."""

    def __init__(self, exported: Exported, tables: Sequence[Table], *, limits: Limits = Limits()) -> None:  # noqa: B008
        """Prepare; nothing is asked yet. Rows are hashed as the size of the database lets them, else only counted."""
        whole, samples = to_hash(tables, exported.keys, size_bytes=exported.properties.size_bytes, limits=limits)
        self.measured = Measured(
            rows={str(table): None for table in tables},
            hashes={str(table): None for table in tables if table in whole or table in samples},
            samples={str(table): sample for table, sample in samples.items()},
        )
        self._opened = exported.opened
        self._tables = sorted(tables, key=lambda table: table.pages)  # many small ones before one that takes long
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="measuring", daemon=True)

    def start(self) -> None:
        """Begin, if it has not begun."""
        if self._thread.ident is None:
            self._thread.start()

    def finish(self, stop: Stop) -> Measured:
        """Return what was measured: at most ten seconds later, or an hour where rows are hashed.

        Raises what `stop` raises.
        """
        self.start()
        deadline = time.monotonic() + (HASH_GRACE_SECONDS if self.measured.hashes else GRACE_SECONDS)
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.1)
            stop.require_may_start()
        self.close()
        return self.measured

    def close(self) -> None:
        """Stop measuring, within seconds. A server that does not answer any more is left to its silence."""
        self._enough.set()
        deadline = time.monotonic() + GRACE_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline:
            with suppress(psycopg.Error):
                self._opened.cancel_safe(timeout=CANCEL_SECONDS)
            self._thread.join(0.5)

    def _measure(self) -> None:
        started = time.monotonic()
        with suppress(psycopg.Error):
            measure_plainly(self._opened)  # also for the schema: a default is told as the session tells values
            self.measured.schema = snapshot(self._opened)
        with suppress(psycopg.Error):
            for table in self._tables:
                self._measure_one(table)
            if self.measured.hashes and not self._is_over:
                count, hashed = measure_large_objects(self._opened)
                if count:
                    self.measured.rows[THE_LARGE_OBJECTS], self.measured.hashes[THE_LARGE_OBJECTS] = count, hashed
        self.measured.seconds = time.monotonic() - started

    def _measure_one(self, table: Table) -> None:
        if self._is_over:
            return
        name = str(table)
        with suppress(psycopg.Error):
            is_hashed = name in self.measured.hashes
            sample = self.measured.samples.get(name)
            rows, hashed = measure(self._opened, table, is_hashed=is_hashed, sample=sample)
            self.measured.rows[name] = rows
            if is_hashed:
                self.measured.hashes[name] = hashed

    @property
    def _is_over(self) -> bool:
        return self._enough.is_set() or self._opened.closed
