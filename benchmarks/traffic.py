"""What an application feels of four dangerous changes: by Locktender under a budget, and the same SQL run plainly.

The load is pgbench's, at a fixed rate, and each answer is timed from when it was due: what queues up behind a lock is
counted. The worst answer of a round is its stall. Plain SQL is rolled back at its end, after it held what it holds.
Each round also has the load alone: what it waits for then is the machine's.
"""

import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.installation import Installation, say, started
from controlplane.embedded import find_postgres

ROUNDS = 10
BUDGETS = (0.5, 1.0)  # seconds for the session that waits longest
GRACE = 0.3  # seconds that a stall may be longer than its budget: one look of the guard, and the cancel
ROWS = 2_000_000
CLIENTS, RATE = 8, 200  # sessions, and transactions a second
LONGEST_SECONDS = 300  # of load around one measurement; it is ended when that is over
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 0.5  # of load alone
HELD_SECONDS = 3.0  # by the reader, from when somebody waits for it
FILL = f"""
CREATE TABLE accounts (id bigint PRIMARY KEY, points int NOT NULL, note text);
INSERT INTO accounts SELECT n, n % 997, repeat(md5(n::text), 6) FROM generate_series(1, {ROWS}) n;
ANALYZE accounts;
"""  # noqa: S608
READ = f"\\set id random(1, {ROWS})\nSELECT points FROM accounts WHERE id = :id;\n"
WRITE = f"\\set id random(1, {ROWS})\nUPDATE accounts SET points = points WHERE id = :id;\n"
WAITS_FOR_TABLE = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'accounts'::regclass"
_ALTER = "ALTER TABLE accounts"


@dataclass(frozen=True, slots=True)
class Scene:
    """One change; `{n}` in it differs each time, and `undo` is for where it went through."""

    name: str
    sql: str
    undo: str
    has_reader: bool = False


SCENES = (
    Scene(
        "behind a reader", f"{_ALTER} ADD COLUMN made_{{n}} int", f"{_ALTER} DROP COLUMN made_{{n}}", has_reader=True
    ),
    Scene("rewrite", f"{_ALTER} ALTER COLUMN points TYPE bigint", f"{_ALTER} ALTER COLUMN points TYPE int"),
    Scene("set not null", f"{_ALTER} ALTER COLUMN note SET NOT NULL", f"{_ALTER} ALTER COLUMN note DROP NOT NULL"),
    Scene("create index", "CREATE INDEX made_{n} ON accounts (note)", "DROP INDEX made_{n}"),
)
MEASURED = {"succeeded", "over-budget"}  # any other end may not have come to the statement at all
IGNORED = "-- locktender: ignore {codes}: what it does to an application is what is measured\n"


def main(rounds: str = str(ROUNDS)) -> None:
    """Measure every change both ways, round by round; the last line has the worst stalls against their budgets."""
    with started() as installation:
        with psycopg.connect(installation.target, autocommit=True) as session:
            session.execute(FILL)
        bench = _Bench(installation)
        worst: dict[float, float] = dict.fromkeys(BUDGETS, 0.0)
        stillness = 0.0
        for scene in SCENES:
            alone: list[float] = []
            plain: list[float] = []
            ours: dict[float, list[float]] = {budget: [] for budget in BUDGETS}
            ends: list[str] = []
            for number in range(1, int(rounds) + 1):
                alone.append(bench.alone())
                plain.append(bench.plain(scene))
                for budget in BUDGETS:
                    stall, end = bench.ours(scene, budget)
                    ours[budget].append(stall)
                    ends.append(end)
                told = ", ".join(f"{budget} s: {stalls[-1]:.2f} s" for budget, stalls in ours.items())
                say(
                    f"{scene.name}, round {number}: load alone {alone[-1]:.2f} s; plain {plain[-1]:.2f} s;"
                    f" budget {told} ({', '.join(ends[-2:])})"
                )
            stillness = max(stillness, *alone)
            for budget, stalls in ours.items():
                worst[budget] = max(worst[budget], _p99(stalls))
                say(
                    f"  {scene.name}, budget {budget} s: p99 {_p99(stalls):.2f} s, most {max(stalls):.2f} s;"
                    f" plain p99 {_p99(plain):.2f} s, most {max(plain):.2f} s; ratio of the most"
                    f" {max(stalls) / max(plain):.2f}"
                )
        told = ", ".join(
            f"{stall:.2f} s of {budget + GRACE:.1f} s allowed by a budget of {budget} s"
            for budget, stall in worst.items()
        )
        say(f"traffic: worst p99 of a stall {told}; without any change {stillness:.2f} s at most")


class _Bench:
    def __init__(self, installation: Installation) -> None:
        from benchmarks.ours import Ours  # noqa: PLC0415 # its imports need Django, which is set up by now

        self._installation = installation
        self._ours = Ours(installation, "", rules={})
        self._pgbench = find_postgres().program("pgbench")
        self._made = 0

    def alone(self) -> float:
        """Return the stall of the load without any change, in seconds."""
        with self._load() as stalls:
            time.sleep(HELD_SECONDS)
        return max(stalls)

    def plain(self, scene: Scene) -> float:
        """Return the stall of the SQL as somebody types it, in seconds."""
        self._made += 1
        with self._load() as stalls, self._reader(scene), psycopg.connect(self._installation.target) as session:
            session.execute(scene.sql.format(n=self._made).encode())
            session.rollback()
        return max(stalls)

    def ours(self, scene: Scene, budget: float) -> tuple[float, str]:
        """Return the stall of the same by an executor, in seconds, and how its job ended. Exits if it did not run."""
        self._made += 1
        self._ours.ask({"blocking_budget": {"oldest_seconds": budget}})
        job = self._ours.queued(f"made_{self._made}", forward=_accepted(scene.sql.format(n=self._made)))
        with self._load() as stalls, self._reader(scene):
            self._installation.execute(job)
        end = self._ours.end_of(job)
        if end not in MEASURED:
            raise SystemExit(f"{scene.name}: the run ended with {end}: what it did to the load is no measurement")
        if end != "succeeded":
            self._ours.forget(f"made_{self._made}")
        else:
            with psycopg.connect(self._installation.target, autocommit=True) as session:
                session.execute(scene.undo.format(n=self._made).encode())
        return max(stalls), end

    @contextmanager
    def _load(self) -> Iterator[list[float]]:
        """Run pgbench around the block; afterwards the list has how long each answer took, in seconds."""
        stalls: list[float] = []
        with tempfile.TemporaryDirectory(dir=self._installation.folder) as place:
            folder = Path(place)
            (folder / "read.sql").write_text(READ)
            (folder / "write.sql").write_text(WRITE)
            options = ("--no-vacuum", "--log", "--file=read.sql", "--file=write.sql")
            load = subprocess.Popen(
                [self._pgbench, f"--client={CLIENTS}", f"--rate={RATE}", f"--time={LONGEST_SECONDS}", *options],
                cwd=folder,
                env=os.environ | self._ours.libpq,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                time.sleep(BEFORE_SECONDS)
                yield stalls
                time.sleep(AFTER_SECONDS)
            finally:
                load.send_signal(signal.SIGALRM)  # what its own --time does: it ends in order, with its log written
                if load.wait():
                    raise SystemExit(f"pgbench ended with {load.returncode}")
            for log in folder.glob("pgbench_log.*"):
                stalls += [int(line.split()[2]) / 1e6 for line in log.read_text().splitlines()]

    @contextmanager
    def _reader(self, scene: Scene) -> Iterator[None]:
        """Hold the table as somebody who forgot to commit, until somebody has waited for it for a while."""
        if not scene.has_reader:
            yield
            return
        over, target = threading.Event(), self._installation.target
        with psycopg.connect(target) as reader, psycopg.connect(target, autocommit=True) as looks:
            reader.execute("SELECT 1 FROM accounts LIMIT 1")

            def hold() -> None:
                while not over.is_set() and looks.execute(WAITS_FOR_TABLE).fetchone() == (0,):
                    over.wait(0.02)
                over.wait(HELD_SECONDS)
                reader.rollback()

            holding = threading.Thread(target=hold)
            holding.start()
            try:
                yield
            finally:
                over.set()
                holding.join()


def _accepted(sql: str) -> str:
    """Return the SQL with a comment that ignores whatever would keep it from being planned."""
    from checks.finding import Severity  # noqa: PLC0415 # with its parser
    from checks.report import judge  # noqa: PLC0415 # with its parser

    codes = sorted({one.code for one in judge(sql).findings if one.severity is Severity.BLOCKING})
    return (IGNORED.format(codes=", ".join(codes)) if codes else "") + sql


def _p99(values: list[float]) -> float:
    """Return the 99th percentile; of fewer than a hundred values it is between the two largest."""
    return statistics.quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]
