"""A deploy by Locktender against the same work by hand: the same dump, SQL, counts and request, on at least 1 GB.

By hand means: somebody types it without waiting in between. What Locktender adds is shown step by step.
"""

import http.server
import shutil
import statistics
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.installation import Installation, say, started

ROUNDS = 3
ROWS = 7_500_000
LEAST_BYTES = 2**30
FILL = f"""
CREATE TABLE ledger (id bigint PRIMARY KEY, user_id int NOT NULL, points int NOT NULL, reason text NOT NULL,
                     at timestamptz NOT NULL);
INSERT INTO ledger
SELECT n, n % 50000, n % 997, 'purchase ' || md5(n::text) || md5((n * 7)::text), now() - n * interval '1 s'
FROM generate_series(1, {ROWS}) n;
ANALYZE ledger;
"""  # noqa: S608
COUNT = "SELECT count(*) FROM ledger"
UNCHANGED = "SELECT id, points FROM ledger WHERE id <= 1000"


def main() -> None:
    """Measure both, round by round, and print the ratio of the medians as the last line."""
    with started() as installation, _application() as address:
        size = _fill(installation.target)
        say(f"target: {size / 2**30:.2f} GiB, {ROWS:,} rows")
        bench = _Bench(installation, address)
        ours: list[float] = []
        unread: list[float] = []
        by_hand: list[float] = []
        for number in range(1, ROUNDS + 1):
            by_hand.append(bench.by_hand(number))
            ours.append(bench.by_locktender(number))
            unread.append(ours[-1] - bench.reading())
            say(f"round {number}: by hand {by_hand[-1]:.2f} s, Locktender {ours[-1]:.2f} s")
        bench.explain()
        say(f"without reading the dump to its end: {statistics.median(unread) / statistics.median(by_hand):.2f}")
        say(f"pipeline: {statistics.median(ours) / statistics.median(by_hand):.2f} of the same work by hand")


class _Bench:
    """One application on one target; both ways do the same to it, under other names."""

    def __init__(self, installation: Installation, address: str) -> None:
        from benchmarks.ours import Ours  # noqa: PLC0415 # its imports need Django, which is set up by now

        self._installation = installation
        self._address = address
        self._ours = Ours(installation, address)

    def by_hand(self, number: int) -> float:
        """Dump, count, migrate, count, ask the application, one after the other; return the seconds."""
        place = self._installation.folder / f"by-hand-{number}"
        started = time.monotonic()
        # Parallel and compressed, as one does it by hand; Locktender packs the files itself.
        subprocess.run(
            [self._ours.pg_dump, "--format=directory", "--jobs=2", "--compress=1", "--no-sync", f"--file={place}"],
            env=self._ours.libpq,
            check=True,
        )
        with psycopg.connect(self._installation.target) as session:
            session.execute(COUNT)
            session.execute(UNCHANGED).fetchall()
            session.execute(migration(f"by_hand_{number}"))
            session.commit()
            session.execute(COUNT)
            session.execute(UNCHANGED).fetchall()
        with urllib.request.urlopen(self._address, timeout=10) as answer:  # noqa: S310 # our own server
            answer.read()
        took = time.monotonic() - started
        shutil.rmtree(place)
        return took

    def by_locktender(self, number: int) -> float:
        """Have the same done by an executor, from its start to its end; return the seconds."""
        job = self._ours.queued(f"ours_{number}", verify=f"-- expect: unchanged\n{UNCHANGED};\n")
        started = time.monotonic()
        self._installation.execute(job)
        took = time.monotonic() - started
        self._ours.require_succeeded(job)
        return took

    def reading(self) -> float:
        """Return how much of the last deploy nobody does by hand: reading the dump to its end, in seconds."""
        return self._ours.reading()

    def explain(self) -> None:
        """Print where the time of the last deploy went."""
        for name, seconds in self._ours.steps():
            say(f"  {name}: {seconds:.2f} s")


def migration(name: str) -> str:
    """Return a migration that costs next to nothing, so that what surrounds it is measured."""
    return f"ALTER TABLE ledger ADD COLUMN {name} int"


def _fill(target: str) -> int:
    """Fill the target and return its size in bytes, which is at least 1 GB."""
    with psycopg.connect(target, autocommit=True) as session:
        session.execute(FILL)
        row = session.execute("SELECT pg_database_size(current_database())").fetchone()
    if row is None or row[0] < LEAST_BYTES:
        raise SystemExit(f"the target has less than {LEAST_BYTES} bytes")
    return int(row[0])


@contextmanager
def _application() -> Iterator[str]:
    """Yield the address of an application that is always well."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
