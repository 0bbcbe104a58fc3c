"""What a session of ours does right now, as the server tells it: phase, how far, what it waits for. Nothing is guessed.

The counters are those of `pg_stat_progress_*` (manual, 27.4). They are of one phase, not of a whole statement, and for
ALTER TABLE, SET NOT NULL and VALIDATE there are none. Blocks are counted in bytes here.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from deployments.postgres.connect import Session

LOOK_SECONDS = 1.0
MOST_SESSIONS = 16  # of a dump: no more are told

LOOK = """
WITH ours AS MATERIALIZED (
    SELECT pid, state, wait_event_type, wait_event,
           extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND leader_pid IS NULL AND datname = current_database()
    AND (pid = %(pid)s::int OR (%(pid)s::int IS NULL AND application_name = %(name)s::text))
),
told AS (
    SELECT pid, 'index' AS kind, to_jsonb(one) AS counted FROM pg_stat_progress_create_index one
    UNION ALL SELECT pid, 'copy', to_jsonb(one) FROM pg_stat_progress_copy one
    UNION ALL SELECT pid, 'vacuum', to_jsonb(one) FROM pg_stat_progress_vacuum one
    UNION ALL SELECT pid, 'cluster', to_jsonb(one) FROM pg_stat_progress_cluster one
    UNION ALL SELECT pid, 'analyze', to_jsonb(one) FROM pg_stat_progress_analyze one
)
SELECT ours.pid, state, wait_event_type, wait_event, seconds, kind, counted, reltuples::float8,
       quote_ident(nspname) || '.' || quote_ident(relname), current_setting('block_size')::int
FROM ours LEFT JOIN told USING (pid)
LEFT JOIN pg_class ON pg_class.oid = (counted ->> 'relid')::oid
LEFT JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE kind IS NOT NULL OR %(pid)s::int IS NOT NULL OR wait_event_type = 'Lock'
ORDER BY ours.pid LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How a phase is counted: the columns of what is done and of what there is ("" is not told), and in what."""

    done: str
    total: str = ""
    unit: str = "bytes"  # or rows, transactions, indexes, statistics, partitions


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase in words, and how it is counted; None where nothing in the view belongs to it."""

    words: str
    counted: Counted | None = None


_LOCKERS = Counted("lockers_done", "lockers_total", "transactions")
_BLOCKS = Counted("blocks_done", "blocks_total")
_TUPLES = Counted("tuples_done", "tuples_total", "rows")
_HEAP = Counted("heap_blks_scanned", "heap_blks_total")
_INDEXES = Counted("indexes_processed", "indexes_total", "indexes")  # since 17
_SAMPLE = Counted("sample_blks_scanned", "sample_blks_total")

PHASES: dict[str, dict[str, Phase]] = {
    "index": {
        "initializing": Phase("prepares the index"),
        "waiting for writers before build": Phase("waits for writers before it builds", _LOCKERS),
        "building index": Phase("builds the index", _BLOCKS),
        "building index: initializing": Phase("prepares the index"),
        "building index: scanning table": Phase("reads the table", _BLOCKS),
        "building index: sorting live tuples": Phase("sorts what it read"),
        "building index: sorting dead tuples": Phase("sorts what it read of dead rows"),
        "building index: loading tuples in tree": Phase("writes the index", _TUPLES),
        "waiting for writers before validation": Phase("waits for writers before it validates", _LOCKERS),
        "index validation: scanning index": Phase("validates: reads the index", _BLOCKS),
        "index validation: sorting tuples": Phase("validates: sorts"),
        "index validation: scanning table": Phase("validates: reads the table", _BLOCKS),
        "waiting for old snapshots": Phase("waits for old snapshots", _LOCKERS),
        "waiting for readers before marking dead": Phase("waits for readers of the old index", _LOCKERS),
        "waiting for readers before dropping": Phase("waits for readers before it drops the old index", _LOCKERS),
    },
    "copy": {"": Phase("copies rows", Counted("tuples_processed", "", "rows"))},
    "vacuum": {
        "initializing": Phase("prepares"),
        "scanning heap": Phase("reads the table", _HEAP),
        "vacuuming indexes": Phase("clears the indexes", _INDEXES),
        "vacuuming heap": Phase("clears the table", Counted("heap_blks_vacuumed", "heap_blks_total")),
        "cleaning up indexes": Phase("tidies the indexes", _INDEXES),
        "truncating heap": Phase("gives back the end of the table"),
        "performing final cleanup": Phase("finishes"),
    },
    "cluster": {
        "initializing": Phase("prepares"),
        "seq scanning heap": Phase("reads the table", _HEAP),
        "index scanning heap": Phase("reads the table by its index", Counted("heap_tuples_scanned", "", "rows")),
        "sorting tuples": Phase("sorts what it read"),
        "writing new heap": Phase(
            "writes the new table", Counted("heap_tuples_written", "heap_tuples_scanned", "rows")
        ),
        "swapping relation files": Phase("puts the new table in place"),
        "rebuilding index": Phase("builds the indexes anew", Counted("index_rebuild_count", "", "indexes")),
        "performing final cleanup": Phase("finishes"),
    },
    "analyze": {
        "initializing": Phase("prepares"),
        "acquiring sample rows": Phase("reads a sample", _SAMPLE),
        "acquiring inherited sample rows": Phase("reads a sample of the partitions", _SAMPLE),
        "computing statistics": Phase("computes the statistics"),
        "computing extended statistics": Phase(
            "computes the extended statistics", Counted("ext_stats_computed", "ext_stats_total", "statistics")
        ),
        "finalizing analyze": Phase("finishes"),
    },
}  # fmt: skip
"""By view and by phase as the server calls it. A phase that is not here is told in the server's own words."""

COMMANDS = {"vacuum": "VACUUM", "analyze": "ANALYZE"}  # whose views have no column of that name
READS, WRITES = ("Read", "Prefetch"), ("Write", "Sync", "Flush", "Extend", "Truncate")  # how IO events end
WAITS = {None: "cpu", "Lock": "lock", "Client": "client", "Timeout": "pause"}
NOT_TOLD = "not-told"


@dataclass(frozen=True, slots=True)
class Doing:
    """What one session does. None is not told by the server: neither for this statement, nor for this phase."""

    pid: int
    command: str  # "" where the statement has no view
    relation: str  # "" is not known, as that of one made in the same transaction
    phase: str
    done: int | None
    total: int | None
    unit: str
    is_estimate: bool  # whether `total` is the planner's estimate of the rows
    size: int | None  # bytes that went through, of a COPY
    wait: str  # lock, read, write, cpu, client, server, pause, statement (between two), not-told
    event: str  # the server's own name for it, "" if it waits for nothing
    seconds: float | None  # since the session was given its last statement

    @property
    def share(self) -> float | None:
        """How much of this phase is done, 0 to 1; below 1 where the total is an estimate. None: not known."""
        if self.done is None or not self.total:
            return None
        return min(0.99 if self.is_estimate else 1.0, self.done / self.total)

    def as_values(self) -> dict[str, Any]:
        """Return it as JSON values; `share` among them."""
        seconds = None if self.seconds is None else round(self.seconds, 1)
        share = None if self.share is None else round(self.share, 4)
        return {**asdict(self), "seconds": seconds, "share": share}


def look(opened: Session, *, pid: int | None, name: str) -> list[Doing]:
    """Return what the session `pid` does, or without one every session of this name that works or waits.

    Empty if there is none. Raises psycopg.Error.
    """
    rows = opened.execute(LOOK, {"pid": pid, "name": name, "most": MOST_SESSIONS}).fetchall()
    return [_doing(row) for row in rows]


def _doing(row: tuple[Any, ...]) -> Doing:
    pid, state, wait_type, event, seconds, kind, counted, rows, relation, block = row
    wait = waits_for(state, wait_type, event)
    told = f"{wait_type}/{event}" if wait_type else ""
    if kind is None or counted is None:
        return Doing(pid, "", "", "", None, None, "", False, None, wait, told, seconds)  # noqa: FBT003
    named = counted.get("phase") or ""
    phase = PHASES[kind].get(named, Phase(named))
    done, total, unit = _far(phase.counted, counted, block)
    is_estimate = False
    if kind == "copy" and done is not None and rows is not None and rows > done:
        total, is_estimate = round(rows), True  # COPY itself says how much there is only of a file on the server
    size = counted.get("bytes_processed") if kind == "copy" else None
    command = counted.get("command") or COMMANDS.get(kind, "")
    return Doing(
        pid, command, relation or "", phase.words, done, total, unit, is_estimate, size, wait, told, seconds
    )  # fmt: skip


def _far(how: Counted | None, counted: Mapping[str, Any], block: int) -> tuple[int | None, int | None, str]:
    """Return what is done, what there is and the unit. A total of 0 is one that the server has not set."""
    if how is None or counted.get(how.done) is None:
        return None, None, ""
    each = block if how.unit == "bytes" else 1
    done, total = counted[how.done], counted.get(how.total) or None
    if total is not None and done > total:
        total = None  # a table may grow while it is read: then how much there is, is not known
    return done * each, None if total is None else total * each, how.unit


def waits_for(state: str | None, kind: str | None, event: str | None) -> str:
    """Return what a session waits for, as `Doing.wait` has it, from the columns of pg_stat_activity."""
    if state is None:
        return NOT_TOLD
    if state != "active":
        return "statement"
    if kind == "IO":
        told = event or ""
        return "read" if told.endswith(READS) else "write" if told.endswith(WRITES) else "server"
    return WAITS.get(kind, "server")


class Looking:
    """The last look at what is watched. Looked by the guard's thread, forgotten by the one that runs statements."""

    def __init__(self) -> None:
        """Begin without any."""
        self._number = 0  # of what is looked at: what was seen of the statement before is not told of this one
        self._seen: tuple[int, tuple[Doing, ...]] = (0, ())
        self._looked_at = 0.0

    def forget(self) -> None:
        """Begin anew: another statement runs."""
        self._number += 1

    def look(self, opened: Session, *, pid: int | None, name: str) -> None:
        """Look, at most once a second. What fails in the question alone is not told; a lost session is raised."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at, number = now, self._number
        try:
            self._seen = number, tuple(look(opened, pid=pid, name=name))
        except psycopg.Error:
            if opened.broken or opened.closed:
                raise
            self._seen = number, ()

    @property
    def seen(self) -> tuple[Doing, ...]:
        """What was seen of what runs now; empty if nobody has looked yet."""
        number, seen = self._seen
        return seen if number == self._number else ()
