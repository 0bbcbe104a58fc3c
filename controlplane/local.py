"""Local mode: the whole product on one machine, with its own servers, for as long as the command runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controlplane.embedded import AlreadyStarted, LocalServers
from controlplane.embedded.children import Children
from controlplane.embedded.passwords import kept_password, write_private
from controlplane.embedded.processes import free_port
from deployments.errors import DeploymentError

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "local"
ENVIRONMENT = "environment"  # the file that tells commands beside `dev` where everything is
LOOK_SECONDS = 0.2
WORKER = ("-m", "celery", "--app", "controlplane", "worker", "--queues", "jobs", "--loglevel", "WARNING")


def main(arguments: Sequence[str]) -> int:
    """Run `dev [PORT]`, or `run COMMAND …`, and return the exit status."""
    match list(arguments):
        case ["dev", *options]:
            return dev(options)
        case ["run", *command] if command:
            return run(command)
    sys.stderr.write("usage: python -m controlplane.local dev [PORT] | run COMMAND [ARGUMENT …]\n")
    return 2


@contextmanager
def product(folder: Path = VAR) -> Iterator[tuple[LocalServers, dict[str, str]]]:
    """Yield the servers and the environment of a migrated installation, which runs while the block does."""
    with LocalServers(folder) as servers:
        told = folder / ENVIRONMENT
        told.unlink(missing_ok=True)  # of an owner that was killed
        secret = kept_password(folder / "secret_key")
        own = {
            "DEBUG": "true",
            "SECRET_KEY": secret,
            "ARTIFACTS": str(folder / "artifacts"),
            "HEALTH_NETWORKS": '["127.0.0.0/8"]',
        } | servers.environment()
        environment = os.environ | own
        subprocess.run(manage("migrate", "--verbosity=0"), env=environment, cwd=ROOT, check=True)
        write_private(told, json.dumps(own))
        try:
            yield servers, environment
        finally:
            told.unlink(missing_ok=True)


def running(folder: Path = VAR) -> dict[str, str] | None:
    """Return the environment of the installation that another command is running here; None while it starts."""
    told = folder / ENVIRONMENT
    return os.environ | json.loads(told.read_text()) if told.exists() else None


def manage(*arguments: str) -> list[str]:
    """Return the argument list of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def dev(options: Sequence[str]) -> int:
    """Serve until Ctrl-C, or until a process or a server ends; then stop the others. Raises ServerEnded."""
    port = options[0] if options else str(free_port())
    with product() as (servers, environment), Children() as children:
        for command, known_by in (
            (manage("dispatch"), "dispatch"),
            ([sys.executable, *WORKER], "worker"),
            (manage("runserver", "--noreload", f"127.0.0.1:{port}"), "runserver"),
        ):
            children.start(command, known_by=known_by, environment=environment, cwd=ROOT)
        sys.stdout.write(
            f"Locktender is at http://127.0.0.1:{port}/, with a dispatcher and a worker. Ctrl-C stops it.\n"
            "Commands beside it: make manage ARGS=help\n"
        )
        sys.stdout.flush()
        while (ended := children.ended) is None:
            servers.require_running()
            time.sleep(LOOK_SECONDS)
        return ended.returncode


def run(command: Sequence[str]) -> int:
    """Run one command against the local servers, its own or those that `dev` runs, and return its exit status."""
    try:
        with product() as (_, environment):
            return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
    except AlreadyStarted:
        beside = running()
        if beside is None:
            raise
        return subprocess.run(command, env=beside, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DeploymentError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    except KeyboardInterrupt:
        sys.exit(130)
