"""Everything that runs while the demo does: Locktender as in production, and the customer it works for."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex

import urllib3

from controlplane import local
from controlplane.embedded.children import Children
from controlplane.embedded.local import GIVEN, LocalServers
from controlplane.embedded.passwords import write_private
from controlplane.embedded.processes import free_port
from demo.releases import TODAY, Release, put, take_out
from demo.targets import APP, COPY, MIGRATOR, PLACES, PRODUCTION, Place, Targets
from demo.teller import StoryBroken, Teller
from deployments.errors import DeploymentError

FOLDER = local.ROOT / "var" / "demo"
REPOSITORY = FOLDER / "loyalty"
BESIDE = "beside"  # the file that tells `make demo-kill` who runs it, and how to sign in
OF_PROGRAMS = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"}
"""What the customer's programs get of this process's environment: none of Locktender's secrets."""
RATE = 50  # purchases a second
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 30
SHORT = {
    # Seconds where production has minutes, so that a story is told in two of them.
    "HEALTH_INTERVAL": "1",
    "LATENCY_INTERVAL": "1",
    "SWEEP": "1",
    # And ten where it has thirty: after so long without a heartbeat another executor takes over.
    "HEARTBEAT": "2",
    "SILENCE": "6",
    "LEASE": "10",
    "RESEND": "8",  # a worker that begins again may take longer to be ready than the dispatcher does without one
}


class Stage:
    """What the story is played on."""

    def __init__(
        self, folder: Path, servers: LocalServers, targets: Targets, children: Children, environment: dict[str, str]
    ) -> None:
        """Take what runs already."""
        self.folder = folder
        self.targets = targets
        self.environment = environment
        self._servers = servers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = f"demo-{token_hex(4)}"
        self._children = children
        self._ports = {place.environment: free_port() for place in (*PLACES, COPY)}
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self._pool = urllib3.PoolManager(retries=False, timeout=10, maxsize=4)  # onlookers ask beside each other

    def release(self, release: Release) -> list[str]:
        """Add what a release brings to the customer's repository, and return the names of its migrations."""
        return put(release, REPOSITORY)

    def take_out(self, release: Release) -> None:
        """Take what a release brought out of the customer's repository again."""
        take_out(release, REPOSITORY)

    def bring_up(self) -> None:
        """Start Locktender, and return when it answers."""
        local.serve(self._children, self.environment, self.port, debug=False, logs=self.folder)
        local.wait_until_ready(self._children, self.port)
        told = {
            "pid": os.getpid(),
            "url": self.url,
            "password": self.password,
            "production": self.targets.connection(PRODUCTION, MIGRATOR),
        }
        write_private(self.folder / BESIDE, json.dumps(told))

    def revive(self) -> None:
        """Start a worker that has ended again, as an init system does."""
        ended = self._children.ended
        if ended is not None and "celery" in ended.args:
            self._children.stop(ended)
            worker = [sys.executable, *local.WORKER]
            log = self.folder / "worker.log"
            self._children.start(worker, known_by="worker", environment=self.environment, cwd=local.ROOT, log=log)

    def run_application(self, place: Place, version: str) -> None:
        """Run the customer's application of a version, in place of the one that runs, and return when it answers.

        Raises StoryBroken if it does not.
        """
        if earlier := self._services.pop(place.environment, None):
            self._children.stop(earlier)
        self._services[place.environment] = self._start(
            "demo.service",
            str(self._ports[place.environment]),
            version,
            environment={"LOYALTY_DATABASE": self.targets.connection(place, APP)},
        )
        until = time.monotonic() + PATIENCE_SECONDS
        while self.health(place).get("version") != version:
            if time.monotonic() > until:
                raise StoryBroken(f"Application {version} of {place.environment} does not answer.")
            time.sleep(LOOK_SECONDS)

    def run_load(self, place: Place) -> subprocess.Popen[bytes]:
        """Let customers buy, from now on, and return the process that plays them."""
        return self._start("demo.load", self.application(place), str(RATE))

    def end_application(self, place: Place, load: subprocess.Popen[bytes]) -> None:
        """Let a place's customers go, then end its application."""
        self._children.stop(load)
        self._children.stop(self._services.pop(place.environment))

    def application(self, place: Place) -> str:
        """Return the address of the customer's application."""
        return f"http://127.0.0.1:{self._ports[place.environment]}"

    def health(self, place: Place) -> dict[str, object]:
        """Return what the customer's application says of itself, its HTTP status included; {} while it is away."""
        try:
            answer = self._pool.request("GET", f"{self.application(place)}/api/health")
        except urllib3.exceptions.HTTPError:
            return {}
        return {"http": answer.status} | json.loads(answer.data)

    def stay(self) -> None:
        """Return when a process ends that is not started again. Raises ServerEnded when a server does."""
        while self._children.ended is None:
            self._servers.require_running()
            time.sleep(LOOK_SECONDS)
            self.revive()

    def failed_requests(self, place: Place) -> int:
        """Return how many requests failed lately, as the customer's application counts them; 1 while it is away."""
        counted = self.health(place).get("latency")
        return int(counted["failed"]) if isinstance(counted, dict) else 1

    def _start(
        self, module: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        return self._children.start(
            [sys.executable, "-m", module, *arguments],
            known_by=module,
            environment=OF_PROGRAMS | (environment or {}),
            cwd=local.ROOT,
            log=self.folder / "loyalty.log",
        )


@contextmanager
def stage(teller: Teller) -> Iterator[Stage]:
    """Yield a stage that begins anew: what an earlier demo left is removed.

    Raises AlreadyStarted beside another demo, and OwnServersNeeded.
    """
    _require_own()
    with ExitStack() as opened, teller.busy("PostgreSQL, Redis, Locktender, and the customer's databases"):
        LocalServers(FOLDER).discard()
        servers, environment = opened.enter_context(local.product(FOLDER, debug=False))
        children = opened.enter_context(Children())
        targets = Targets(servers.postgres, FOLDER)
        targets.make()
        here = Stage(FOLDER, servers, targets, children, environment | SHORT | targets.environment())
        here.release(TODAY)
        with ThreadPoolExecutor() as pool:
            filling = [pool.submit(targets.fill, place) for place in PLACES]
            here.bring_up()
            for one in filling:
                one.result()
        targets.copy()
        kept = opened.pop_all()
    with kept:
        yield here


class OwnServersNeeded(DeploymentError):
    """The demo makes roles and databases and removes its folder, which it does with nobody's servers but its own."""

    code = "own-servers-needed"

    def __init__(self, *, what: str) -> None:
        super().__init__(
            f"{what} The demo makes roles and databases, and begins by removing its folder: it works with servers and "
            "a folder of its own only. Nothing was changed. Take that away, and start it again."
        )


def _require_own() -> None:
    if names := [name for name in GIVEN if os.environ.get(name)]:
        raise OwnServersNeeded(what=f"{', '.join(names)} is set.")
    if FOLDER.is_symlink():
        raise OwnServersNeeded(what=f"{FOLDER.relative_to(local.ROOT)} is a link.")
