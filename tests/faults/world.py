"""Where a campaign happens: servers of its own, a migrated installation, and processes that come back when killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from controlplane.embedded import LocalServers, PostgresServer
from tests.faults.processes import MARK, ROOT, Supervisor, manage
from tests.faults.scripts import PREPARE
from tests.servers import MEMORY, ROOM_BYTES, sign_in_quickly

# A crash of a process must lose nothing that was committed: synchronous_commit stays on. A crash of the machine is not
# among the faults, so nothing needs to reach a disk.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "100", "scram_iterations": "1"}
LEASE_SECONDS = 1.5
TIMINGS = {
    "LEASE": str(LEASE_SECONDS),
    "HEARTBEAT": "0.3",
    "SILENCE": "1.0",
    "SWEEP": "0.3",
    "RESEND": "3",  # sooner, starting executors in vain would be most of the work
    "GUARD_INTERVAL": "0.1",
}
HOOKS = Path(__file__).resolve().parent / "hooks"
LOGS = ROOT / "var" / "faults"
MIGRATOR, PASSWORD = "migrator", "of-faults-only"
TEMPLATE = "faults_template"


@dataclass
class World:
    """The servers and processes that faults are done to."""

    folder: Path
    servers: LocalServers
    targets: PostgresServer
    environment: dict[str, str]
    supervisor: Supervisor

    @property
    def mark(self) -> str:
        """What marks the processes of this world."""
        return self.environment[MARK]

    @property
    def forks(self) -> str:
        """Where executors can be had from a fork server."""
        return self.environment["LOCKTENDER_FAULTS_FORKS"]

    def let_start_cold(self, job_id: int) -> None:
        """Have the executors of this job start as in production."""
        Path(f"{self.forks}.cold", str(job_id)).touch()

    def keep_logs(self) -> Path:
        """Copy the logs to where they outlive the campaign, and return where that is."""
        kept = LOGS / self.folder.name
        kept.mkdir(parents=True, exist_ok=True)
        for log in self.folder.rglob("*.log"):
            shutil.copy(log, kept / (f"{log.parent.name}-{log.name}" if log.parent != self.folder else log.name))
        return LOGS


@contextmanager
def prepared() -> Iterator[Path]:
    """Yield a folder with what all worlds begin with, and room for them; afterwards it is gone.

    That is a migrated control database and a server with a template of the targets, both stopped.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="locktender-faults-", dir=MEMORY if roomy else None))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # a server that left root must get through
        with ThreadPoolExecutor() as threads:
            targets = threads.submit(_prepare_targets, folder / "prepared" / "targets")
            with LocalServers(folder / "prepared" / "control", given={}, settings=SETTINGS, durable=False) as servers:
                environment = os.environ | servers.environment() | _constants(folder)
                subprocess.run(manage("migrate", "--verbosity=0"), cwd=ROOT, env=environment, check=True)
            targets.result()
        yield folder


def _prepare_targets(folder: Path) -> None:
    with PostgresServer(folder, settings=SETTINGS, durable=False) as targets:
        sign_in_quickly(targets.superuser_url())
        targets.ensure_role(MIGRATOR, password=PASSWORD)
        targets.ensure_database(TEMPLATE, owner=MIGRATOR)
        with psycopg.connect(targets.url(TEMPLATE, role=MIGRATOR, password=PASSWORD)) as template:
            template.execute(PREPARE.encode())


@contextmanager
def started(place: Path, name: str, *, without: str = "") -> Iterator[World]:
    """Yield a world of this name in a prepared place; afterwards everything that was started has ended.

    The environment of this process is changed so that Django, set up afterwards, leads to the control database.
    """
    folder = place / name
    with ExitStack() as stack:
        subprocess.run(["cp", "-a", place / "prepared", folder], check=True)
        servers = stack.enter_context(LocalServers(folder / "control", given={}, settings=SETTINGS, durable=False))
        stack.callback(wake, servers)
        targets = stack.enter_context(PostgresServer(folder / "targets", settings=SETTINGS, durable=False))
        os.environ.update(TIMINGS | servers.environment() | _constants(folder))
        forks = folder / "forks"
        Path(f"{forks}.cold").mkdir()
        environment = os.environ | {
            MARK: uuid.uuid4().hex,
            "LOCKTENDER_FAULTS_FORKS": str(forks),
            "LOCKTENDER_FAULTS_WITHOUT": without,
            "PYTHONPATH": str(HOOKS),
        }
        supervisor = stack.enter_context(Supervisor(environment, folder, str(forks)))
        yield World(folder, servers, targets, environment, supervisor)


def _constants(folder: Path) -> dict[str, str]:
    return {
        "SECRET_KEY": "of-faults-only",
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "ARTIFACTS": str(folder / "artifacts"),
    }


def wake(servers: LocalServers) -> None:
    """Let a halted Redis hear that it is to end."""
    if servers.redis is not None and servers.redis.is_running:
        with suppress(ProcessLookupError):
            os.kill(servers.redis.pid, signal.SIGCONT)
