"""`python -m tests.faults.commits 1000`: connections cut around a COMMIT, and servers that crash there.

Each case runs one migration. What the executor's engine says of it (it is committed, or nothing of it is) is compared
with what the database has: a mark that every run of it leaves, rows that every run counts up, and the history row. The
file is one transaction, or its statements have one each, or one goes in batches: any of its COMMITs is the one.
"""

import argparse
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from controlplane.embedded import PostgresServer
from deployments.errors import DeploymentError
from deployments.postgres import transactional
from deployments.postgres.connect import Target
from deployments.postgres.ledger import install, installation_sql
from deployments.postgres.stopped import InDoubt
from tests.faults.cuts import CUTS, CutAnswer, Once
from tests.postgres.places import Desk, Place, script
from tests.postgres.proxy import Link, Proxy, Rule

LANES = 3
SLOW_SECONDS = 20.0  # a case that takes longer is named at once
CRASHES_IN = 25  # one case in so many is a crash of the server; half of these with a transaction number used again
ENOUGH = 8  # crashes, of which some must have had their transaction number used again
IN_DOUBT, PARTLY = -2, -1
# A transaction number survives a crash only once its WAL reached the disk: with a lazy writer it mostly has not.
SETTINGS = {"wal_writer_delay": "10s", "max_connections": "60", "checkpoint_timeout": "1h", "autovacuum": "off"}
ROWS = 12
COUNT = "UPDATE counted_{number} SET times = times + 1"
IN_TRANSACTION = f"INSERT INTO marks VALUES ({{number}}); {COUNT}"
BY_ITSELF = f"-- locktender: no-transaction\nINSERT INTO marks VALUES ({{number}});\n{COUNT};\nVACUUM marks"
IN_BATCHES = (
    "-- locktender: no-transaction\nINSERT INTO marks VALUES ({number});\n"
    f"-- locktender: batch table=counted_{{number}} key=id size=5\n{COUNT}"
)
MANNERS = {IN_TRANSACTION: 1, BY_ITSELF: 5, IN_BATCHES: 8}  # and how many COMMITs a run has at least


@dataclass
class Lane:
    """One target and the proxy before it. Only one case at a time happens here."""

    place: Place
    proxy: Proxy
    target: Target
    server: PostgresServer
    text: str = ""  # of the migration that is run
    told: str = ""  # the last error, for whoever reads a wrong verdict

    def case(self, number: int, rule: Rule, manner: str = IN_TRANSACTION) -> str:
        """Run one migration through a rule, and then undisturbed; return what is wrong, or ""."""
        self.text = manner.format(number=number)
        self.place.do(f"CREATE TABLE counted_{number} AS SELECT id, 0 AS times FROM generate_series(1, {ROWS}) id")
        self.place.do(f"ALTER TABLE counted_{number} ADD PRIMARY KEY (id)")
        self.proxy.rule = rule
        said = self._run(number)
        found = self._happened(number)
        part = found == PARTLY and said == 0 and manner is not IN_TRANSACTION  # what is done stays done, and is said so
        if found != said and not part:
            return f"said {said}, and it happened {found} times ({self.told})"
        if said == 0:
            self.proxy.rule = _pass_on
            said = self._run(number)
            if (found := self._happened(number)) != 1:
                return f"run again undisturbed said {said}, and it happened {found} times ({self.told})"
        return "" if getattr(rule, "done", True) else "its COMMIT never passed"

    def _run(self, number: int) -> int:
        """Return how often the engine says that it is committed; before another try it asks the history."""
        self.told = ""
        try:
            with self.place.desk(job=number, target=self.target) as desk:
                return self._at(desk, number)
        except (DeploymentError, psycopg.Error) as error:
            self.told = f"{type(error).__name__}: {error}"
        return 0

    def _at(self, desk: Desk, number: int) -> int:
        try:
            desk.run(script(self.text, f"{number:05}_marking"))
        except InDoubt as doubt:
            self.told = f"InDoubt: {doubt}"
            return IN_DOUBT  # the server is there again within seconds: it can be known
        except (DeploymentError, psycopg.Error) as error:
            self.told = f"{type(error).__name__}: {error}"
            return 0
        return 1

    def _happened(self, number: int) -> int:
        """Return how often it happened, as often in all that it does; -1 if that is not the same."""
        found = self._ask(
            "SELECT count(*) FROM marks WHERE migration = %(n)s"
            " UNION ALL SELECT count(*) FROM locktender.history WHERE job = %(n)s"
            f" UNION ALL SELECT times FROM counted_{number}",
            {"n": number},
        )
        times = {int(count) for (count,) in found}
        return times.pop() if len(times) == 1 else PARTLY

    def _ask(self, query: str, values: dict[str, object]) -> list[tuple]:
        until = time.monotonic() + 30
        while True:
            try:
                with psycopg.connect(self.place.superuser_url, autocommit=True) as session:
                    return session.execute(query, values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def crash(self, *, reuse: bool, told: Counter[str]) -> Once:
        """Return a rule under which the server crashes instead of taking the COMMIT, or right after it has it."""

        def act(link: Link, data: bytes) -> bytes:
            ((xid,),) = self._ask(
                "SELECT max(backend_xid::text::bigint) FROM pg_stat_activity WHERE backend_xid IS NOT NULL", {}
            )
            if not reuse:
                link.server.sendall(data)
            self.server.stop("immediate")
            link.cut()
            self.server.start()
            if reuse:
                told["numbers used again"] += self._use_again(int(xid))
            return b""

        return Once(act)

    def _use_again(self, xid: int) -> int:
        """Commit other transactions until the number of ours has been given to one; return 1 if it was."""
        with psycopg.connect(self.place.superuser_url, autocommit=True) as session:
            for _ in range(1000):
                ((given,),) = session.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()
                if given >= xid:
                    return int(given == xid)
        return 0


def main() -> int:
    """Run the cases and return the exit status: 0 only if every verdict was right."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.commits", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--naive", action="store_true", help="believe the exception, to see that the judge notices")
    wanted = parser.parse_args()
    if wanted.naive:
        transactional.committed = lambda *_: False  # what a tool does that takes a lost connection for a no
    transactional.RECONNECT_PATIENCE = 300.0  # how long a busy machine takes to start a server is not what is asked
    sys.stdout.write(f"seed {wanted.seed}, {wanted.count} cases\n")
    told: Counter[str] = Counter()
    wrong: list[str] = []
    numbers = range(1, wanted.count + 1)
    crashes = [number for number in numbers if number % CRASHES_IN == 0]
    with lanes(LANES) as every, ThreadPoolExecutor(LANES) as threads:
        cut = [number for number in numbers if number % CRASHES_IN]
        parts = [threads.submit(_cut_all, lane, cut[place::LANES], wanted.seed) for place, lane in enumerate(every)]
        for part in parts:
            kinds, problems = part.result()
            told.update(kinds)
            wrong += problems
        for number in crashes:
            reuse = number % (2 * CRASHES_IN) == 0
            told["crashes of the server"] += 1
            if problem := every[0].case(number, every[0].crash(reuse=reuse, told=told)):
                wrong.append(f"case {number}, crash: {problem}")
    if len(crashes) >= ENOUGH and not told["numbers used again"]:
        wrong.append("no crash gave a transaction number out again: that was not tried")
    sys.stdout.write("".join(f"{count} {kind}\n" for kind, count in sorted(told.items())))
    sys.stdout.write("".join(f"WRONG: {one}\n" for one in wrong))
    sys.stdout.write(f"{wanted.count} commits cut: {len(wrong)} wrong verdicts\n")
    return 1 if wrong else 0


def _cut_all(lane: Lane, numbers: list[int], seed: int) -> tuple[Counter[str], list[str]]:
    told: Counter[str] = Counter()
    wrong: list[str] = []
    for number in numbers:
        dice = random.Random(f"{seed}/{number}")  # noqa: S311 # a game that can be played again
        kind = dice.choice((*CUTS, CutAnswer))
        manner = dice.choices(list(MANNERS), weights=(2, 1, 1))[0]
        before = dice.randrange(MANNERS[manner])
        rule = (
            CutAnswer(dice, before=before)
            if kind is CutAnswer
            else Once(lambda link, data, kind=kind, dice=dice: kind(link, data, dice), before)
        )
        told[kind.__name__] += 1
        began = time.monotonic()
        if problem := lane.case(number, rule, manner):
            wrong.append(f"case {number}, {kind.__name__}: {problem}")
        if (took := time.monotonic() - began) > SLOW_SECONDS:
            sys.stdout.write(f"case {number}, {kind.__name__} took {took:.0f} s {lane.told}\n")
            sys.stdout.flush()
    return told, wrong


@contextmanager
def lanes(count: int) -> Iterator[list[Lane]]:
    """Yield so many targets, each behind a proxy, on one durable server of their own."""
    with tempfile.TemporaryDirectory(prefix="locktender-commits-") as folder:
        Path(folder).chmod(0o755)  # a server that left root must get through
        server = PostgresServer(Path(folder) / "targets", settings=SETTINGS)
        server.start()
        made: list[Lane] = []
        try:
            made.extend(_lane(server, number) for number in range(1, count + 1))
            yield made
        finally:
            for lane in made:
                lane.proxy.__exit__()
            server.stop("immediate")


def _lane(server: PostgresServer, number: int) -> Lane:
    name = f"target_{number}"
    with psycopg.connect(server.superuser_url(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
    url = server.superuser_url(name)
    proxy = Proxy(url)
    proxy.__enter__()
    os.environ[f"TARGET_{number}"], os.environ[f"PROXIED_{number}"] = url, proxy.url
    direct, proxied = (Target(number, name, f"env:{kind}_{number}") for kind in ("TARGET", "PROXIED"))
    place = Place(target=direct, url=url, plane=uuid.uuid4(), superuser_url=url)
    install(direct, installation_sql(control_plane_id=place.plane, database_id=number))
    place.do("CREATE TABLE marks (migration int)")
    return Lane(place, proxy, proxied, server)


def _pass_on(_link: Link, _direction: str, data: bytes) -> bytes:
    return data


if __name__ == "__main__":
    sys.exit(main())
