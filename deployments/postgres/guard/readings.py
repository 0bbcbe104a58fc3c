"""What the guard asks the server: who waits for whom, and how server and replicas are."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from checks.normalised import shape_of
from deployments.postgres.connect import NAME_PREFIX, Session

# One question per look. pg_blocking_pids also names those that are only queued ahead, which a join of pg_locks misses.
# What others run in another database is in the encoding of that one, and nobody converts it: it is not asked for.
# All who wait in this database are asked for, because one may wait for us behind another: a dump holds up a TRUNCATE,
# and everybody queues behind that. An index counts as its table; who waits for a row's owner has a lock on the row.
LOOK = """
WITH locks AS MATERIALIZED (
    SELECT pid, waitstart, relation, granted FROM pg_locks
    WHERE (NOT granted OR locktype = 'tuple') AND pid IS NOT NULL
    AND (database IS NULL OR database = 0
         OR database = (SELECT oid FROM pg_database WHERE datname = current_database()))
),
waits AS MATERIALIZED (
    SELECT pid, min(waitstart) AS since,
           coalesce(max(relation), (SELECT max(relation) FROM locks WHERE locks.pid = one.pid AND granted)) AS relation,
           pg_blocking_pids(pid) AS blockers
    FROM locks AS one WHERE NOT granted GROUP BY pid
),
named AS MATERIALIZED (
    SELECT relation, (
        SELECT quote_ident(nspname) || '.' || quote_ident(relname)
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = coalesce(
            (SELECT indrelid FROM pg_index WHERE indexrelid = waited.relation), waited.relation)
    ) AS name
    FROM (SELECT DISTINCT relation FROM waits WHERE relation IS NOT NULL) AS waited
),
activity AS MATERIALIZED (
    SELECT pid, backend_start, xact_start, leader_pid, usename, coalesce(application_name, '') AS application, state,
           backend_type, query_id, CASE WHEN datname = current_database() THEN query END AS query,
           datname = current_database() AND pid <> pg_backend_pid() AND (pid = %(pid)s::int OR leader_pid = %(pid)s::int
             OR (%(pid)s::int IS NULL AND application_name = %(name)s::text)) IS TRUE AS is_ours
    FROM pg_stat_activity
),
wanted AS (
    SELECT pid FROM waits UNION SELECT pid FROM activity WHERE is_ours
    UNION SELECT unnest(blockers) FROM waits WHERE pid IN (SELECT pid FROM activity WHERE is_ours)
)
SELECT pid, backend_start, xact_start, leader_pid, usename, application, state, backend_type, query_id, query,
       extract(epoch FROM clock_timestamp() - xact_start)::float8, extract(epoch FROM since)::float8,
       extract(epoch FROM clock_timestamp() - since)::float8, name, coalesce(blockers, '{}'), is_ours
FROM wanted JOIN activity USING (pid) LEFT JOIN waits USING (pid) LEFT JOIN named USING (relation)
"""
# Only who waits for nobody at all can be told without it: it costs a fifth (make bench ARGS=guard).
ANYBODY = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND (database IS NULL OR database = 0
  OR database = (SELECT oid FROM pg_database WHERE datname = current_database())))
"""
# A prepared transaction has no process: pg_blocking_pids says 0.
PREPARED = """
SELECT prepared, owner, gid, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 5
"""
# A role without pg_read_all_stats sees of replicas that they are there, and nothing more.
SERVER = """
SELECT (SELECT count(*) FROM pg_stat_activity
        WHERE usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0),
       coalesce((SELECT jsonb_agg(jsonb_build_object('name', application_name, 'pid', pid,
            'write', extract(epoch FROM write_lag), 'flush', extract(epoch FROM flush_lag),
            'replay', extract(epoch FROM replay_lag),
            'bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 'told', state IS NOT NULL))
          FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'), '[]'),
       coalesce((SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots), 0)::bigint
"""
DISK_FUNCTION = "locktender.free_disk_bytes()"
TELLS_DISK = "SELECT to_regprocedure(%s) IS NOT NULL"


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A session that ours waits for. `query` is its shape, without values; "" is not told."""

    pid: int  # 0: a prepared transaction, which no process has
    user: str
    application: str
    state: str
    seconds: float  # age of its transaction
    query: str = ""
    kind: str = "session"  # or prepared, autovacuum, anti-wraparound
    relation: str = ""  # what ours waits for
    backend_start: datetime | None = None
    xact_start: datetime | None = None

    def __str__(self) -> str:
        who = f"prepared transaction {self.application}" if self.kind == "prepared" else f"pid {self.pid}"
        name = "" if self.kind == "prepared" else f"{self.application or 'unnamed'}, "
        told = f"{who} ({self.user or self.kind}, {name}{self.state}, in its transaction for {self.seconds:.0f} s)"
        if self.kind == "anti-wraparound":
            return f"{told}, an autovacuum against wraparound: it is waited for"
        return told

    def as_values(self) -> dict[str, Any]:
        """Return the fields as JSON values; instants in ISO 8601, to the microsecond."""
        values = asdict(self)
        for name in ("backend_start", "xact_start"):
            at: datetime | None = values[name]
            values[name] = at.isoformat(timespec="microseconds") if at else None
        values["seconds"] = round(self.seconds, 1)
        return values


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session that waits for ours, directly or behind another. The texts are as the server has them."""

    pid: int
    since: float  # when it began, as the server's clock has it: with the pid it names this wait
    seconds: float
    user: str
    application: str
    query: str
    query_id: int | None
    relation: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found."""

    waiting: tuple[Waiting, ...] = ()
    in_our_way: tuple[InTheWay, ...] = ()


@dataclass(frozen=True, slots=True)
class Replica:
    """How far a replica is behind. None is not told."""

    name: str
    pid: int
    seconds: float | None  # the longest of write, flush and replay
    bytes: int | None

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from another replica of that name."""
        return self.name, self.pid


@dataclass(frozen=True, slots=True)
class Server:
    """How the server is. None is not told."""

    connections: int = 0
    most_connections: int = 0
    replicas: tuple[Replica, ...] = ()
    wal_bytes: int = 0
    free_disk_bytes: int | None = None
    is_told: bool = field(default=True)  # whether it says how far its replicas are

    def as_values(self) -> dict[str, Any]:
        """Return it as JSON values; None is not told."""
        return {
            "connections": {"used": self.connections, "of": self.most_connections},
            "replicas": [{"name": one.name, "seconds": one.seconds, "bytes": one.bytes} for one in self.replicas],
            "wal_bytes": self.wal_bytes,
            "free_disk_bytes": self.free_disk_bytes,
        }


class InAnyEncoding(Loader):
    """Reads a text of which nobody knows the encoding."""

    def load(self, data: Buffer) -> str:
        """Return the text; bytes that are no UTF-8 are shown as such."""
        return bytes(data).decode("utf-8", "replace")


def read_any_encoding(opened: Session) -> None:
    """Have a session read what is in no encoding that the server knows.

    Names of roles belong to no database, and are in the encoding of where they were made. A database in SQL_ASCII keeps
    whatever bytes its clients send, also in the queries of others, and refuses to hand them out as UTF-8.
    """
    opened.adapters.register_loader("name", InAnyEncoding)
    if opened.info.parameter_status("server_encoding") == "SQL_ASCII":
        opened.execute("SET client_encoding = 'SQL_ASCII'")
        opened.adapters.register_loader("text", InAnyEncoding)


def somebody_waits(opened: Session) -> bool:
    """Return whether anybody in this database waits for a lock: if not, `look` finds nothing. Raises psycopg.Error."""
    row = opened.execute(ANYBODY).fetchone()
    return bool(row and row[0])


def look(opened: Session, *, pid: int | None, name: str, most_seconds: float) -> Seen:
    """Return who waits for the session `pid`, or without one for every session of this name, and what is in its way.

    Nobody is said to wait longer than `most_seconds`: so long we have been there. Raises psycopg.Error.
    """
    rows = {row[0]: row for row in opened.execute(LOOK, {"pid": pid, "name": name}).fetchall()}
    ours = {one for one, row in rows.items() if row[15]}
    blockers = {other: row for one in ours for row in (rows[one],) for other in row[14]}
    in_the_way = [_in_the_way(rows[other], row[13]) for other, row in blockers.items() if other in rows.keys() - ours]
    if 0 in blockers:
        in_the_way += [
            InTheWay(0, owner, gid, "prepared", age, "", "prepared", blockers[0][13] or "", None, prepared)
            for prepared, owner, gid, age in opened.execute(PREPARED).fetchall()
        ]
    return Seen(tuple(_waiting(rows, ours, most_seconds)), tuple(in_the_way))


def _waiting(rows: Mapping[int, tuple[Any, ...]], ours: set[int], most_seconds: float) -> list[Waiting]:
    """Return who waits for ours: first those that ours block, then those that these block, and so on.

    Who waits behind another pays for us no longer than that one does. Sessions of Locktender, workers of a parallel
    query (their leader waits too) and autovacuum are not the application.
    """
    paid = dict.fromkeys(ours, most_seconds)
    nearest = list(ours)
    while nearest:
        before, nearest = nearest, []
        for pid, row in rows.items():
            if pid not in paid and (behind := [paid[one] for one in row[14] if one in before]):
                paid[pid] = min(max(0.0, row[12] or 0.0), max(behind))
                nearest.append(pid)
    return [
        Waiting(pid, row[11] or 0.0, paid[pid], row[4] or "", row[5], row[9] or "", row[8], row[13] or "")
        for pid, row in rows.items()
        if pid in paid and pid not in ours and _is_of_the_application(row)
    ]


def _is_of_the_application(row: tuple[Any, ...]) -> bool:
    return row[3] is None and not row[5].startswith(NAME_PREFIX) and row[4] is not None


def _in_the_way(row: tuple[Any, ...], relation: str | None) -> InTheWay:
    pid, backend_start, xact_start, _, user, application, state, backend, _, query, age, *_ = row
    kind = "session"
    if user is None and backend in {None, "autovacuum worker"}:
        kind = "anti-wraparound" if "(to prevent wraparound)" in (query or "") else "autovacuum"
    shown = "" if query in {None, "", "<insufficient privilege>"} else shape_of(query)
    return InTheWay(
        pid, user or "", application, state or backend or "state not told", age or 0.0, shown, kind, relation or "",
        backend_start, xact_start,
    )  # fmt: skip


def look_at_server(opened: Session, *, tells_disk: bool) -> Server:
    """Return how server and replicas are. Raises psycopg.Error."""
    row = opened.execute(SERVER).fetchone()
    assert row is not None  # noqa: S101 # a SELECT without FROM returns one row
    used, most, told, wal = row
    replicas = []
    for one in told:
        lags = [one[name] for name in ("write", "flush", "replay") if one[name] is not None]
        seconds = float(max(lags)) if lags else (0.0 if one["told"] else None)
        replicas.append(
            Replica(one["name"] or "", one["pid"], seconds, None if one["bytes"] is None else int(one["bytes"]))
        )
    free = free_disk_bytes(opened) if tells_disk else None
    return Server(used, most, tuple(replicas), int(wal), free, is_told=all(one["told"] for one in told))


def tells_disk(opened: Session) -> bool:
    """Return whether an administrator made the function that says how much room the server's disk has."""
    row = opened.execute(TELLS_DISK, [DISK_FUNCTION]).fetchone()
    return bool(row and row[0])


def free_disk_bytes(opened: Session) -> int | None:
    """Return how much room the server's disk has, as `tells_disk` says it tells; None where that fails."""
    with suppress(psycopg.Error):  # an administrator's function: what it fails at is not told
        answer = opened.execute(f"SELECT {DISK_FUNCTION}").fetchone()
        return int(answer[0]) if answer and answer[0] is not None else None
    return None
