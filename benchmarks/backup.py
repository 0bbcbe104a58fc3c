"""A backup and its restore, against `pg_dump DB > FILE` and psql, on at least 1 GB: time, size, and what is proven.

Both run in turn on the same server, without a control database. Ours is told with and without the hashes that it is
compared by, because nobody makes those by hand.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.installation import say
from controlplane.embedded import PostgresServer
from demo.data import APPLICATION, found
from deployments.postgres.backup.archive import DUMP, Manifest, compare_with_manifest, read_to_end, write_manifest
from deployments.postgres.backup.dump import Dumped, dump
from deployments.postgres.backup.measure import Limits
from deployments.postgres.backup.opening import GoOn
from deployments.postgres.backup.restore import Restored, restore_to
from deployments.postgres.backup.scratch import Purpose, Scratch, drop_scratch
from deployments.postgres.clients import Clients
from deployments.postgres.connect import Holder, Target
from deployments.postgres.guard import Budget, Guard

LEDGER_ROWS = 6_400_000  # with the other tables and the indexes 1.05 GB
LEAST_BYTES = 10**9
ROUNDS = 3
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB"}
JOBS = 2
HOLDER = Holder(run=1, job=1, fence=1)
AIMS = {"dump": 1.0, "size": 0.35, "restore": 0.6}


def main(rounds: str = str(ROUNDS), ledger_rows: str = str(LEDGER_ROWS)) -> None:
    """Measure, and print the shares of what is done by hand; the last line is the figure."""
    with tempfile.TemporaryDirectory(prefix="locktender-bench-") as place, _server(Path(place)) as url:
        bench = _Bench(Path(place), url)
        say(f"{_filled(url, int(ledger_rows)) / 1e9:.2f} GB; load of this machine {os.getloadavg()[0]:.1f}")
        for number in range(1, int(rounds) + 1):
            bench.round(number)
        bench.tell()


class _Bench:
    """One server, one source database; both ways put what they make beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        os.environ["BENCH_SERVER"] = url
        self._folder = folder
        self._url = url
        self._target = Target(1, "bench", "env:BENCH_SERVER")
        self._client = Clients().newest_for(0, tls=False, is_protected=False)
        self._seen: dict[str, list[float]] = {}

    def round(self, number: int) -> None:
        """Do it both ways, one after the other, and clean up."""
        order: list[Callable[[], None]] = [self._by_hand, self._ours]
        for way in order if number % 2 else reversed(order):
            way()
        told = ", ".join(f"{name} {values[-1]:.2f}" for name, values in self._seen.items())
        say(f"round {number}: {told}")

    def tell(self) -> None:
        """Print the shares of the medians, each with its aim."""
        median = {name: statistics.median(values) for name, values in self._seen.items()}
        shares = {
            "dump": median["our dump"] / median["plain dump"],
            "size": median["our GB"] / median["plain GB"],
            "restore": median["our restore"] / median["plain restore"],
        }
        say(f"with hashes the dump takes {median['our dump with hashes'] / median['our dump']:.2f} times as long")
        say(f"comparing takes {median['our comparing'] / median['plain restore']:.2f} of a plain restore more")
        told = ", ".join(f"{name} {share:.2f} (aim {AIMS[name]})" for name, share in shares.items())
        say(f"backup: {told} of the same by hand, and ours is restored and equal")

    def _by_hand(self) -> None:
        file, programs = self._folder / "plain.sql", self._client.folder
        self._timed("plain dump", lambda: self._run([programs / "pg_dump", f"--file={file}", "bench"]))
        self._note("plain GB", file.stat().st_size / 1e9)
        with self._database("by_hand"):
            words = [programs / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={file}", "by_hand"]
            self._timed("plain restore", lambda: self._run(words))
        file.unlink()

    def _ours(self) -> None:
        place = self._folder / "place"
        for name, limit in (("our dump", 0), ("our dump with hashes", 10**12)):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            made = self._timed(name, lambda limit=limit: self._dump(place, limit))
        self._timed("our reading", lambda: read_to_end(place, self._client, made.files, jobs=JOBS, stop=GoOn()))
        manifest = compare_with_manifest(place, recorded=_described(place, made).sha256, stop=GoOn())
        self._note("our GB", manifest.bytes / 1e9)
        restored = self._restore(place, manifest)
        if not restored.compared.is_equal:
            raise SystemExit(f"not equal: {restored.compared}")
        self._note("our restore", restored.seconds["unpack"] + restored.seconds["restore"])
        self._note("our comparing", restored.seconds["compare"])

    def _dump(self, place: Path, hash_limit: int) -> Dumped:
        budget, interval = Budget(oldest_seconds=60, total_seconds=600), timedelta(milliseconds=250)
        with Guard(self._target, HOLDER, budget=budget, interval=interval, stop=GoOn()) as guard:
            return dump(
                self._target,
                HOLDER,
                choose=lambda _: self._client,
                folder=place / DUMP,
                jobs=JOBS,
                stop=GoOn(),
                guard=guard,
                progress=lambda _: None,
                log=lambda _: None,
                limits=Limits(hash_limit),
            )

    def _restore(self, place: Path, manifest: Manifest) -> Restored:
        scratch = Scratch.named(uuid4(), Purpose.VERIFY, job=1, fence=1)
        try:
            return restore_to(
                self._target,
                HOLDER,
                place=place,
                manifest=manifest,
                name=str(scratch),
                client=self._client,
                jobs=JOBS,
                into=self._folder / "unpacked",
                stop=GoOn(),
            )
        finally:
            drop_scratch(self._target, scratch, name="bench")

    @contextmanager
    def _database(self, name: str) -> Iterator[None]:
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            try:
                yield
            finally:
                session.execute(f"DROP DATABASE {name}")

    def _run(self, words: list[str | Path]) -> None:
        known = conninfo_to_dict(self._url)
        told = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
        libpq = {variable: str(known[key]) for variable, key in told.items()}
        subprocess.run(words, env=os.environ | libpq, check=True, stdout=subprocess.DEVNULL)

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        made = work()
        self._note(name, time.monotonic() - started)
        return made

    def _note(self, name: str, value: float) -> None:
        self._seen.setdefault(name, []).append(value)


def _described(place: Path, made: Dumped) -> Manifest:
    return write_manifest(place, made.as_manifest() | {"scope": "database"})


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    folder.chmod(0o755)  # a server that left root must get through
    server = PostgresServer(folder / "server", settings=SETTINGS)
    server.start()
    try:
        with psycopg.connect(server.superuser_url(), autocommit=True) as session:
            session.execute(f"CREATE ROLE {APPLICATION}")
            session.execute("CREATE DATABASE bench")
        yield make_conninfo(server.superuser_url(), dbname="bench")
    finally:
        server.stop("fast")


def _filled(url: str, ledger_rows: int) -> int:
    """Fill the source and return its size in bytes."""
    with psycopg.connect(url) as session:
        found(session, ledger_rows=ledger_rows)
        row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    size = int(row[0]) if row else 0
    if size < LEAST_BYTES and ledger_rows >= LEDGER_ROWS:
        raise SystemExit(f"the source has less than {LEAST_BYTES} bytes")
    return size
