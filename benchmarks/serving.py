"""The processes of an installation that a benchmark measures: pages, dispatcher, worker; and somebody at a browser."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from benchmarks.installation import Installation
from benchmarks.ours import NAME, PASSWORD
from controlplane import local
from controlplane.embedded.children import Children
from controlplane.embedded.processes import free_port
from demo.visitor import Visitor

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05


class Serving:
    """Starts what a measurement is about. The children end it."""

    def __init__(self, installation: Installation, children: Children) -> None:
        """Find a port; nothing is started yet."""
        self._installation = installation
        self._children = children
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"

    def sign_in(self) -> Visitor:
        """Start the pages and return a person who is signed in."""
        self.start(sys.executable, *local.GUNICORN, "--bind", f"127.0.0.1:{self._port}")
        local.wait_until_ready(self._children, self._port)
        return Visitor(self.address, NAME).sign_in(PASSWORD)

    @contextmanager
    def working(self, *programs: str, **environment: str) -> Iterator[None]:
        """Have a dispatcher, a worker, or both, for the length of the block."""
        from deployments.models import WorkerBeat  # noqa: PLC0415 # needs Django
        from deployments.services.signs_of_life import name_here  # noqa: PLC0415 # needs Django

        WorkerBeat.objects.all().delete()
        commands = {"dispatcher": local.manage("dispatch"), "worker": [sys.executable, *local.WORKER]}
        children = [self.start(*commands[one], **environment) for one in programs]
        try:
            for one in programs:
                until(WorkerBeat.objects.filter(worker=name_here(one)).exists)
            yield
        finally:
            for child in reversed(children):
                self._children.stop(child)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one process of the installation."""
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


def until(condition: Callable[[], object], *, seconds: float = PATIENCE_SECONDS, look: float = LOOK_SECONDS) -> None:
    """Look until it holds. Ends the benchmark if it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:g} s: {condition}")
        time.sleep(look)
