"""What a guard costs while 50 sessions wait: processor seconds per second, of our process and of its server process."""

import os
import resource
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from controlplane.embedded import PostgresServer
from deployments.postgres.connect import Holder, Target, open_session
from deployments.postgres.guard import Budget, Guard
from deployments.postgres.script import prepare

WAITING = 50
SECONDS = 20.0
INTERVAL = timedelta(milliseconds=250)
SETTINGS = {"fsync": "off", "max_connections": "200"}
PATIENT = Budget(oldest_seconds=600, total_seconds=60_000, tries_seconds=None, sessions=1000)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one core, in per cent: our process, and the server process of the guard's session. And who waited."""

    ours: float
    servers: float
    waiting: int

    @property
    def together(self) -> float:
        """Both, in per cent of one core."""
        return self.ours + self.servers


class NeverAsked:
    """A `Stop` that nobody uses."""

    cancel_requested = False

    def require_may_start(self) -> None:
        """Everything may start."""

    def require_may_go_on(self, place: str) -> None:
        """Everything may go on."""

    def wait(self, seconds: float) -> None:
        """Wait so long."""
        time.sleep(seconds)

    rest = wait


def cost(url: str, *, waiting: int = WAITING, seconds: float = SECONDS) -> Cost:
    """Measure a guard on the database of this address while so many sessions wait for the session that it watches."""
    os.environ["BENCH_GUARD_TARGET"] = url
    target = Target(database_id=1, name="bench", connection="env:BENCH_GUARD_TARGET")
    holder = Holder(run=1, job=1, fence=1)
    script = prepare("LOCK TABLE waited", migration="bench", direction="forward", checksum="", script_sha256="")
    with ExitStack() as opened:
        admin = opened.enter_context(psycopg.connect(url, autocommit=True))
        admin.execute("CREATE TABLE waited (id int)")
        opened.callback(admin.execute, "DROP TABLE waited")
        ours = opened.enter_context(open_session(target, name=holder.session_name, autocommit=False))
        ours.execute("LOCK TABLE waited IN ACCESS EXCLUSIVE MODE")
        sessions = [psycopg.connect(url, autocommit=True, application_name="shop") for _ in range(waiting)]
        for session in sessions:
            opened.callback(session.close)
            session.pgconn.send_query(b"SELECT id FROM waited WHERE id = 12345")  # nobody here waits for the answer
        guard = opened.enter_context(Guard(target, holder, budget=PATIENT, interval=INTERVAL, stop=NeverAsked()))
        backend = guard.backend_pid
        with guard.watching(ours, script):
            while guard.bill.waiting < waiting:
                time.sleep(0.05)
            before, began = (_own(), _of(backend)), time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
            own, other = _own() - before[0], _of(backend) - before[1]
        seen = guard.bill.most_waiting
        ours.rollback()
    return Cost(100 * own / took, 100 * other / took, seen)


def _own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure on a server of its own; the last line is the figure."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server runs as somebody else where we are root
        with PostgresServer(Path(folder) / "server", durable=False, settings=SETTINGS) as server:
            nobody = cost(server.superuser_url(), waiting=0)
            many = cost(server.superuser_url())
    for told, one in (("nobody", nobody), (f"{many.waiting} sessions", many)):
        sys.stdout.write(f"{told} waiting: {one.ours:.2f} % of a core ours, {one.servers:.2f} % the server's\n")
    sys.stdout.write(f"{many.together:.2f} % of a core with {many.waiting} blocked sessions, every 250 ms\n")
