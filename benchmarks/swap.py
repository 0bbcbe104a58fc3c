"""How long an application gets no answer while a restored database takes the place of its own, against by hand.

By hand: end the sessions, DROP the old database, RENAME the new one, as fast as a script types it. Ours also keeps the
old one, raises its fence, and cannot be cut off in between. Eight clients ask without a pause; what is told is the time
between the last answer of the old database and the first one of the new.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.guard import NeverAsked
from benchmarks.installation import say
from controlplane.embedded import PostgresServer
from deployments.postgres.connect import Holder, Target
from deployments.postgres.ledger import install, installation_sql
from deployments.postgres.swap.exchange import exchange
from deployments.postgres.swap.ledger import hold, make_ready
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.server import Swap

ROUNDS, CLIENTS = 7, 8
AIM_SECONDS = 1.0
PAUSE_SECONDS = 0.002
SETTINGS = {"max_connections": "100"}


def main() -> None:
    """Print every round, and as the last line the longest time without an answer against the aim."""
    with TemporaryDirectory(prefix="locktender-bench-") as folder:
        Path(folder).chmod(0o755)  # a server that left root must get through
        server = PostgresServer(Path(folder) / "server", settings=SETTINGS, durable=False)
        server.start()
        try:
            bench = _Bench(server.superuser_url())
            ours, by_hand = [], []
            for number in range(1, ROUNDS + 1):
                by_hand.append(bench.round(number, bench.by_hand))
                ours.append(bench.round(number, bench.swap))
                say(f"round {number}: by hand {by_hand[-1]:.3f} s, ours {ours[-1]:.3f} s")
        finally:
            server.stop()
    say(f"median: by hand {statistics.median(by_hand):.3f} s, ours {statistics.median(ours):.3f} s")
    say(f"swap: at most {max(ours):.2f} s without an answer, of {AIM_SECONDS:.1f} s allowed")


class _Bench:
    def __init__(self, url: str) -> None:
        self._url = url
        os.environ["BENCH_SWAP_TARGET"] = make_conninfo(url, dbname="shop")
        self._target = Target(database_id=1, name="bench", connection="env:BENCH_SWAP_TARGET")
        with psycopg.connect(url, autocommit=True) as opened:
            opened.execute("CREATE DATABASE shop")
        plane = uuid4()
        install(self._target, installation_sql(control_plane_id=plane, database_id=1))

    def round(self, number: int, do: Callable[[int], None]) -> float:
        """Put a copy in the place of the database while clients ask; return how long none of them got an answer."""
        with psycopg.connect(self._url, autocommit=True) as opened:
            while True:
                with suppress(psycopg.errors.ObjectInUse):  # a client of the last round is not gone yet
                    opened.execute("CREATE DATABASE copied TEMPLATE shop")
                    break
        with _asked(os.environ["BENCH_SWAP_TARGET"]) as answers:
            do(number)
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                time.sleep(PAUSE_SECONDS)
        old = {oid for _, oid in answers[:1]}
        last = max(at for at, oid in answers if oid in old)
        return min(at for at, oid in answers if oid not in old) - last

    def by_hand(self, _: int) -> None:
        """As somebody does it who has the three commands ready."""
        with psycopg.connect(self._url, autocommit=True) as opened:
            while True:
                with suppress(psycopg.errors.ObjectInUse):  # a client came in between
                    opened.execute("DROP DATABASE shop WITH (FORCE)")
                    break
            opened.execute("ALTER DATABASE copied RENAME TO shop")

    def swap(self, number: int) -> None:
        """As a restore does it, after everything that needs no haste."""
        swap = Swap(self._target, Holder(run=number, job=number, fence=number), "shop")
        make_ready(swap, "copied")
        hold(swap, swap.mine)
        exchange(swap, pooler=Pooler(), stop=NeverAsked(), log=lambda _: None)


@contextmanager
def _asked(url: str) -> Iterator[list[tuple[float, int]]]:
    """Have clients ask for the length of the block; yield when which database answered, by its number."""
    answers: list[tuple[float, int]] = []
    over = threading.Event()

    def ask() -> None:
        opened = None
        while not over.is_set():
            try:
                opened = opened or psycopg.connect(url, autocommit=True)
                row = opened.execute(
                    "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"
                ).fetchone()
                answers.append((time.monotonic(), row[0] if row else 0))
            except psycopg.Error:
                opened = None
            over.wait(PAUSE_SECONDS)
        if opened is not None:
            opened.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while not answers:
        time.sleep(PAUSE_SECONDS)
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
