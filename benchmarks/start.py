"""From the press of Start to the first step at work: with Redis and a worker, and without both.

The baseline is what nobody can avoid: the same press, and an executor that is started by hand at once. What is above it
is the way from the web process to the executor. Both moments are the control database's.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg

from benchmarks.installation import Installation, say, started
from controlplane import local
from controlplane.embedded.children import Children
from controlplane.embedded.processes import free_port
from demo.visitor import Visitor

ROUNDS = 5
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05
NOWHERE = "redis://127.0.0.1:9/0"
LEDGER = "CREATE TABLE ledger (id int)"


def main() -> None:
    """Measure the three, round by round, and print the ratios of the medians as the last line."""
    with started() as installation, Children() as children:
        bench = _Bench(installation, children)
        ways = {
            "by hand": bench.by_hand,
            "with Redis": bench.with_redis,
            "without Redis": bench.without_redis,
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(1, ROUNDS + 1):
            for name, way in ways.items():
                seconds[name].append(way())
            say(f"round {number}: " + ", ".join(f"{name} {taken[-1]:.2f} s" for name, taken in seconds.items()))
        hand, redis, alone = (statistics.median(taken) for taken in seconds.values())
        say(f"start: {redis / hand:.2f} of an executor started by hand with Redis, {alone / hand:.2f} without")


class _Bench:
    """One installation with its pages; each measurement brings the processes it is about."""

    def __init__(self, installation: Installation, children: Children) -> None:
        from benchmarks.ours import NAME, PASSWORD, Ours  # noqa: PLC0415 # its imports need Django, set up by now

        with psycopg.connect(installation.target) as session:
            session.execute(LEDGER)
        self._installation = installation
        self._children = children
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        self._ours = Ours(installation, f"{address}/livez")  # the application whose health is asked is Locktender here
        self._start(sys.executable, *local.GUNICORN, "--bind", f"127.0.0.1:{port}")
        local.wait_until_ready(children, port)
        self._person = Visitor(address, NAME).sign_in(PASSWORD)
        self._made = 0

    def by_hand(self) -> float:
        """Press, and start an executor at once."""
        return self._press(self._installation.execute)

    def with_redis(self) -> float:
        """Press while a dispatcher and a worker are there."""
        with self._working({}, "dispatcher", "worker"):
            return self._press(wait_for_end)

    def without_redis(self) -> float:
        """Press while there is a dispatcher alone, whose broker does not answer."""
        with self._working({"REDIS_URL": NOWHERE}, "dispatcher"):
            return self._press(wait_for_end)

    def _press(self, drive: Callable[[int], None]) -> float:
        """Return the seconds from a press of Start to the first step at work; the run is driven to its end."""
        from deployments.models import Job, Step  # noqa: PLC0415 # needs Django

        self._made += 1
        run = self._ours.awaiting(f"made_{self._made}", verify="-- expect: 1\nSELECT 1")
        pressed = database_time()
        self._person.press(f"/runs/{run.number}/", "start", to=f"/runs/{run.number}/start/")
        job = Job.objects.get(run=run).pk
        drive(job)
        begun = Step.objects.get(job=job, name="preflight").started_at
        if begun is None:
            raise SystemExit(f"job {job} never began")
        return (begun - pressed).total_seconds()

    @contextmanager
    def _working(self, environment: dict[str, str], *programs: str) -> Iterator[None]:
        from deployments.models import WorkerBeat  # noqa: PLC0415 # needs Django
        from deployments.services.signs_of_life import name_here  # noqa: PLC0415 # needs Django

        WorkerBeat.objects.all().delete()
        commands = {"dispatcher": local.manage("dispatch"), "worker": [sys.executable, *local.WORKER]}
        children = [self._start(*commands[one], **environment) for one in programs]
        try:
            for one in programs:
                until(WorkerBeat.objects.filter(worker=name_here(one)).exists)
            yield
        finally:
            for child in reversed(children):
                self._children.stop(child)

    def _start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        return self._children.start(
            command,
            known_by=command[-1],
            environment=self._installation.environment | environment,
            cwd=local.ROOT,
            log=self._installation.folder / "processes.log",
        )


def database_time() -> datetime:
    """Return the time of the control database."""
    from django.db import connection  # noqa: PLC0415 # needs Django

    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def wait_for_end(job: int) -> None:
    """Return when a job is over."""
    from deployments.models import Job  # noqa: PLC0415 # needs Django

    until(Job.objects.filter(pk=job, finished_at__isnull=False).exists)


def until(condition: Callable[[], bool]) -> None:
    """Look until it holds. Ends the benchmark if it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE_SECONDS:g} s: {condition}")
        time.sleep(LOOK_SECONDS)
