"""Dumping a target with pg_dump, in one snapshot, under the eyes of whoever asked for it."""

import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from checks.schema import fingerprint
from deployments.errors import DeploymentError
from deployments.postgres.backup.exported import Exported, Measuring, exporting
from deployments.postgres.backup.measure import Limits, Measured, Table, sequences_of
from deployments.postgres.backup.packer import Packing
from deployments.postgres.backup.packing import COMPRESSION, Damaged, Fact
from deployments.postgres.backup.properties import Properties
from deployments.postgres.backup.sealing import Seal
from deployments.postgres.clients import Client
from deployments.postgres.connect import Holder, Target
from deployments.postgres.guard import Guard
from deployments.postgres.ledger import Identity
from deployments.postgres.price.origin import Origin
from deployments.postgres.programs import connection_files, running
from deployments.postgres.stop import Stop

LOCK_WAIT_MILLISECONDS = 5000
PROGRESS_SECONDS = 1.0
LONGEST_DETAIL = 500
THE_DUMP = "The dump"
# Consequences of the error that stands before them.
ECHOES = ("a worker process died unexpectedly", "terminated by user")
# A worker writes its lines in pieces: the start of one may stand before another's. The server's begin in capitals.
DISK_FULL = re.compile(
    r"(?<!ERROR:  )could not [A-Za-z ]+: (No space left on device|Disk quota exceeded|File too large)"
)
ERRNO = {os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}


class BackupFailed(DeploymentError):
    """pg_dump did not do it."""

    code = "backup-failed"

    def __init__(self, *, target: str, detail: str) -> None:
        super().__init__(
            f"pg_dump of {target} failed: {detail.rstrip('.')}. What it had written was removed, and the target was "
            "not changed. Correct what is named here, then ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Dumped:
    """What is known about a finished dump."""

    identity: Identity
    server_version: int
    client: Client
    at: datetime  # by the target's clock; what was committed by then is in it
    lsn: str
    tables: list[Table]
    enums: dict[str, list[str]]  # of tables that were dumped alone: their dump does not make these types
    measured: Measured
    properties: Properties
    sequences: dict[str, list[int | None]]  # last values before and after the dump
    origin: Origin  # for the price of a restore
    files: dict[str, Fact]  # by their name beside the manifest
    seconds: float

    def as_manifest(self) -> dict[str, Any]:
        """Return what a manifest says of the dump itself, as JSON values; whose it is, its maker adds."""
        measured = self.measured
        return {
            "server": {
                "system_identifier": self.identity.system_identifier,
                "database_name": self.identity.database_name,
                "version": self.server_version,
            },
            "client": {"version": self.client.version, "compression": COMPRESSION},
            "snapshot": {"at": self.at.isoformat(), "lsn": self.lsn},
            "database": self.properties.as_manifest(),
            "schema": measured.schema,
            "schema_fingerprint": None if measured.schema is None else fingerprint(measured.schema),
            "rows": measured.rows,
            "hashes": measured.hashes,
            "samples": {name: sample.as_manifest() for name, sample in measured.samples.items()},
            "sequences": self.sequences,
            "origin": self.origin.as_manifest(),
            "enums": self.enums,
            "files": self.files,
        }


@dataclass(slots=True)
class Progress:
    """How far pg_dump is, from the lines it writes."""

    total: int
    started: int = 0
    finished: int = 0
    table: str = ""
    is_reading_tables: bool = False
    has_locks: bool = False

    def hear(self, line: str) -> None:
        """Take in one line."""
        if self.is_reading_tables and ": reading " in line:
            self.has_locks = True  # it locks them all before it reads what comes next
        self.is_reading_tables = line.endswith("reading user-defined tables")
        if found := re.search(r'dumping contents of table "(.*)"$', line):
            self.started, self.table = self.started + 1, found[1]
        elif re.search(r"finished item \d+ TABLE DATA ", line):
            self.finished += 1

    def as_values(self, *, jobs: int, size: int) -> dict[str, Any]:
        """Return it as what a page shows. A single worker does not say what it has finished, only what is next."""
        done = self.finished if jobs > 1 else max(0, self.started - 1)
        tables = max(self.total, self.started)
        return {"tables": tables, "tables_done": done, "table": self.table, "bytes": size, "jobs": jobs}


def dump(
    target: Target,
    holder: Holder,
    *,
    choose: Callable[[Exported], Client],
    folder: Path,
    jobs: int,
    stop: Stop,
    guard: Guard,
    progress: Callable[[dict[str, Any]], None],
    log: Callable[[str], None],
    only: Sequence[Table] | None = None,
    limits: Limits = Limits(),  # noqa: B008 # it cannot be changed
    seal: Seal | None = None,
) -> Dumped:
    """Dump a database, or `only` these tables of it, into a new folder, packed, and return what is known about it.

    Rows are hashed, or a sample of them, if the database is not larger than `limits` say; else they are only counted.

    `choose` looks at what was found before anything is dumped, and returns the programs to use, or refuses. Every
    session on the target has the holder's name, so that a takeover ends them, and the guard, who is open, watches them
    all: a dump has a lock on every table, and behind one TRUNCATE that waits for it everybody queues. What was written
    of a dump that failed is for the caller to remove.

    Raises what opening a session, `choose`, `stop` and the guard raise, ConnectionNotPortable, BackupFailed, and
    OSError with ENOSPC, EDQUOT or EFBIG if the disk takes no more.
    """
    stop.require_may_start()
    started = time.monotonic()
    with guard.watching_dump(THE_DUMP), exporting(target, name=holder.session_name) as exported:
        client = choose(exported)
        wanted = {table.oid for table in only or ()}
        tables = [table for table in exported.tables if only is None or table.oid in wanted]
        enums = exported.enums_of(only) if only is not None else {}
        files = connection_files(exported.opened, target=target.name, name=holder.session_name)
        heard = Progress(total=len(tables))
        measuring, packing = Measuring(exported, tables, limits=limits), Packing(folder, jobs=jobs, seal=seal)

        def hear(line: str) -> None:
            heard.hear(line)
            packing.hear(line)

        with closing(measuring), closing(packing):
            watch = _Watch(
                exported, heard, measuring, packing, guard=guard, folder=folder, jobs=jobs, progress=progress, log=log
            )
            with running(client.pg_dump, _arguments(exported, folder, jobs, only), files=files, tell=hear) as ran:
                status = ran.wait(stop, meanwhile=watch.look)
            guard.require_clear()  # why it ended, if the guard did it
            if status != 0:
                secret = exported.opened.info.password
                _refuse(target, status, ran.said, in_the_way=watch.in_the_way, secret=secret)
            try:
                packed = packing.finish(stop)
            except Damaged as damaged:
                raise BackupFailed(target=target.name, detail=f"it ended well, and {damaged}") from damaged
            measured = measuring.finish(stop)
            guard.require_clear()
            after = _sequences_after(exported)
    return Dumped(
        identity=exported.identity,
        server_version=exported.server_version,
        client=client,
        at=exported.at,
        lsn=exported.lsn,
        tables=tables,
        enums=enums,
        measured=measured,
        properties=exported.properties,
        sequences={name: [value, after.get(name)] for name, value in exported.sequences.items()},
        origin=exported.origin,
        files=packed,
        seconds=time.monotonic() - started,
    )


def _sequences_after(exported: Exported) -> dict[str, int | None]:
    """Return the last values of the sequences now; of a session that was lost, none."""
    with suppress(psycopg.Error):
        return sequences_of(exported.opened)
    return {}


def size_of(folder: Path) -> tuple[int, int]:
    """Return how many bytes the files below a folder have, and how many files there are."""
    sizes = []
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                sizes.append(Path(place, name).stat().st_size)
    return sum(sizes), len(sizes)


@dataclass(slots=True)
class _Watch:
    """What is done while pg_dump runs: see who is in its way, begin to measure, tell how far it is."""

    exported: Exported
    heard: Progress
    measuring: Measuring
    packing: Packing
    guard: Guard
    folder: Path
    jobs: int
    progress: Callable[[dict[str, Any]], None]
    log: Callable[[str], None]
    in_the_way: str = ""
    told_at: float = 0.0
    told: dict[str, Any] | None = None

    def look(self) -> None:
        """Look once. Raises what the guard has stopped it for."""
        self.guard.require_clear()
        if not self.heard.has_locks:
            self._see_who_is_in_the_way()
        else:
            self.in_the_way = ""
            self.measuring.start()
            self.packing.look()
        if time.monotonic() - self.told_at >= PROGRESS_SECONDS:
            self.told_at = time.monotonic()
            values = self.heard.as_values(jobs=self.jobs, size=size_of(self.folder)[0])
            if values != self.told:
                self.told = values
                self.progress(values)

    def _see_who_is_in_the_way(self) -> None:
        with suppress(psycopg.Error):  # pg_dump itself tells what is wrong with the server
            seen = "; ".join(self.exported.in_the_way())
            if seen and not self.in_the_way:
                self.log(f"pg_dump waits for a lock: {seen}")
            self.in_the_way = seen or self.in_the_way


def _arguments(exported: Exported, folder: Path, jobs: int, only: Sequence[Table] | None) -> list[str | bytes]:
    """Return what pg_dump is told. Where and as whom to connect is not among it: that is in files."""
    arguments: list[str | bytes] = [
        "--format=directory",
        f"--file={folder}",
        f"--jobs={jobs}",
        f"--snapshot={exported.snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT_MILLISECONDS}",
        "--compress=0",  # it is packed by us: see decision 0016
        "--no-password",
        "--no-sync",  # the store does that, for everything in the place
        "--verbose",
    ]
    if only is not None:
        # pg_dump compares them in the encoding of the database.
        query = "SELECT convert_to('--table=' || name, getdatabaseencoding()) FROM unnest(%s::text[]) name"
        arguments += ["--strict-names", *(row[0] for row in exported.opened.execute(query, [list(map(str, only))]))]
    return arguments


def _refuse(target: Target, status: int, said: Sequence[str], *, in_the_way: str, secret: str) -> None:
    """Raise why pg_dump ended with an error."""
    causes = [line for line in said if ": error: " in line or ": detail: " in line]
    causes = [line for line in causes if not any(echo in line for echo in ECHOES)] or causes
    for line in said:
        if full := DISK_FULL.search(line):
            raise OSError(ERRNO[full[1]], full[1])
    detail = " ".join(re.sub(r"^(pg_dump: ?)+", "", line) for line in dict.fromkeys(causes))
    if in_the_way and "LOCK TABLE" in detail:
        detail = f"a lock was not to be had within {LOCK_WAIT_MILLISECONDS / 1000:g} s: {in_the_way}"
    detail = detail or f"it ended with status {status}, and without a word why"
    if secret:
        detail = detail.replace(secret, "…")
    if len(detail) > LONGEST_DETAIL:
        detail = detail[:LONGEST_DETAIL] + "…"
    raise BackupFailed(target=target.name, detail=detail)
