"""A snapshot of a schema of a thousand tables against `pg_dump --schema-only`, one after the other, round by round.

Both begin with a new session and end with everything in memory: ours with a record and a hash of every object, pg_dump
with the text. pg_dump is called as a dump of ours is, by its own process; what a process costs to start is told beside.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.installation import say
from controlplane.embedded import PostgresServer
from deployments.postgres.clients import Clients
from deployments.postgres.connect import Target, session
from deployments.postgres.snapshots import read_snapshot

TABLES = 1000
ROUNDS = 9
LIMIT_SECONDS = 3.0
SETTINGS = {"fsync": "off", "max_locks_per_transaction": "2048"}
ONE_TABLE = """
CREATE TABLE shop_{0} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner bigint NOT NULL {1}, name text NOT NULL,
  mail varchar(200) UNIQUE, points int NOT NULL DEFAULT 0 CHECK (points >= 0), state text DEFAULT 'new', note text,
  at timestamptz NOT NULL DEFAULT now(), sum numeric(12, 2), tags text[]);
CREATE INDEX shop_{0}_owner ON shop_{0} (owner);
CREATE INDEX shop_{0}_new ON shop_{0} (at, name) WHERE state = 'new';
COMMENT ON TABLE shop_{0} IS 'of the benchmark';
GRANT SELECT, INSERT ON shop_{0} TO pg_monitor;
"""
OTHERS = """
CREATE VIEW seen_{0} AS SELECT id, name, points FROM shop_{0} WHERE state = 'new';
CREATE FUNCTION touch_{0}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at = now(); RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON shop_{0} FOR EACH ROW EXECUTE FUNCTION touch_{0}();
CREATE TYPE mood_{0} AS ENUM ('good', 'bad');
"""
EVERY = 10  # tables for each of the others


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one round."""

    ours: float
    dump: float


def main(tables: str = str(TABLES)) -> None:
    """Print the times of every round and, last, ours divided by that of pg_dump."""
    with TemporaryDirectory(prefix="locktender-bench-") as folder:
        Path(folder).chmod(0o755)  # a server that left root must get through
        server = PostgresServer(Path(folder) / "server", settings=SETTINGS, durable=False)
        server.start()
        try:
            measure(server.superuser_url(), int(tables))
        finally:
            server.stop("immediate")


def measure(url: str, tables: int) -> None:
    """Make the schema, and measure round by round."""
    objects = made(url, tables)
    os.environ["BENCH_SNAPSHOT_TARGET"] = url
    with psycopg.connect(url) as opened:
        client = Clients().newest_for(opened.info.server_version, tls=False, is_protected=False)
    rounds = [Times(_timed(ours), _timed(lambda: dumped(client.pg_dump, url))) for _ in range(ROUNDS)]
    start = _timed(lambda: subprocess.run([client.pg_dump, "--version"], check=True, capture_output=True))
    for one in rounds:
        say(f"snapshot {one.ours:.3f} s   pg_dump {client.version} --schema-only {one.dump:.3f} s")
    mine, theirs = (statistics.median(values) for values in zip(*((one.ours, one.dump) for one in rounds), strict=True))
    say(f"{tables} tables, {objects} objects; a process of pg_dump takes {start:.3f} s to start. Slowest snapshot:")
    worst = max(one.ours for one in rounds)
    say(f"{worst:.3f} s of {LIMIT_SECONDS:.0f} s: {'held' if worst <= LIMIT_SECONDS else 'NOT HELD'}")
    say(f"snapshot / pg_dump --schema-only: {mine / theirs:.2f} ({mine:.3f} s / {theirs:.3f} s, medians of {ROUNDS})")


def made(url: str, tables: int) -> int:
    """Make the tables and what belongs to them; return how many objects a snapshot has."""
    with psycopg.connect(url, autocommit=True) as admin:
        for number in range(tables):
            reference = f"REFERENCES shop_{number - 1}" if number else ""
            admin.execute(ONE_TABLE.format(number, reference) + (OTHERS.format(number) if number % EVERY == 0 else ""))
        admin.execute("ANALYZE")
    with psycopg.connect(url) as opened:
        return len(read_snapshot(opened).records)


def ours() -> None:
    """Read everything, and hash it."""
    target = Target(database_id=1, name="bench", connection="env:BENCH_SNAPSHOT_TARGET")
    with session(target) as opened, opened.transaction():
        read = read_snapshot(opened)
    if not read.fingerprint:
        raise AssertionError("there is no fingerprint")


def dumped(program: Path, url: str) -> None:
    """Have pg_dump write the schema."""
    subprocess.run([program, "--schema-only", url], check=True, capture_output=True)


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
