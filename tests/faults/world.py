"""Where a campaign happens: servers of its own, a migrated installation, and processes that come back when killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controlplane.embedded import LocalServers, PostgresServer
from tests.faults.processes import MARK, ROOT, Supervisor, manage
from tests.servers import MEMORY, ROOM_BYTES

# A crash of a process must lose nothing that was committed: synchronous_commit stays on. A crash of the machine is not
# among the faults, so nothing needs to reach a disk.
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "100"}
LEASE_SECONDS = 1.5
TIMINGS = {
    "LEASE": str(LEASE_SECONDS),
    "HEARTBEAT": "0.3",
    "SILENCE": "1.0",
    "SWEEP": "0.3",
    "RESEND": "3",  # sooner, starting executors in vain would be most of the work
    "GUARD_INTERVAL": "0.05",
}
SABOTAGE = Path(__file__).resolve().parent / "sabotage"
LOGS = ROOT / "var" / "faults"


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
        """What marks the processes of this campaign."""
        return self.environment[MARK]

    def keep_logs(self) -> Path:
        """Copy the logs to where they outlive the campaign, and return where that is."""
        LOGS.mkdir(parents=True, exist_ok=True)
        for log in self.folder.rglob("*.log"):
            shutil.copy(log, LOGS / f"{log.parent.name}-{log.name}" if log.parent != self.folder else LOGS / log.name)
        return LOGS


@contextmanager
def started(*, without: str = "") -> Iterator[World]:
    """Yield a world; afterwards everything that was started has ended and the folder is gone.

    The environment of this process is changed so that Django, set up afterwards, leads to the control database.
    """
    with ExitStack() as stack:
        roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
        folder = Path(tempfile.mkdtemp(prefix="locktender-faults-", dir=MEMORY if roomy else None))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # a server that left root must get through
        servers = stack.enter_context(LocalServers(folder / "control", given={}, settings=SETTINGS, durable=False))
        stack.callback(wake, servers)
        targets = PostgresServer(folder / "targets", settings=SETTINGS, durable=False)
        stack.enter_context(targets)
        environment = (
            os.environ
            | TIMINGS
            | servers.environment()
            | {
                "SECRET_KEY": "of-faults-only",
                "DEBUG": "true",
                "DJANGO_SETTINGS_MODULE": "controlplane.settings",
                "ARTIFACTS": str(folder / "artifacts"),
            }
        )
        os.environ.update(environment)
        subprocess.run(manage("migrate", "--verbosity=0"), cwd=ROOT, check=True)
        environment[MARK] = uuid.uuid4().hex
        if without:
            environment["LOCKTENDER_FAULTS_WITHOUT"] = without
            environment["PYTHONPATH"] = str(SABOTAGE)
        supervisor = Supervisor(environment, folder)
        stack.enter_context(supervisor)
        yield World(folder, servers, targets, environment, supervisor)


def wake(servers: LocalServers) -> None:
    """Let a halted Redis hear that it is to end."""
    if servers.redis is not None and servers.redis.is_running:
        with suppress(ProcessLookupError):
            os.kill(servers.redis.pid, signal.SIGCONT)
