"""Local mode: the whole product on one machine, with its own servers, for as long as the command runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from controlplane.embedded import AlreadyStarted, LocalServers
from controlplane.embedded.children import Children
from controlplane.embedded.passwords import kept_password, write_private
from controlplane.embedded.processes import LOOPBACK, free_port
from controlplane.readiness import is_ready
from deployments.errors import DeploymentError

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "local"
OWN_SERVER = "LOCAL_SERVER_URL"
"""The variable with the address of local mode's own PostgreSQL, where backups are restored and ways back rehearsed."""
ENVIRONMENT = "environment"  # the file that tells commands beside `dev` where everything is
LOOK_SECONDS = 0.2
READY_SECONDS = 120.0
AS_IN_PRODUCTION = {
    "DEBUG": "false",
    "PLAIN_HTTP": "true",
    "BEHIND_PROXY": "false",
    "ALLOWED_HOSTS": '["localhost", "127.0.0.1"]',
}
GUNICORN = ("-m", "gunicorn", "--config", "python:controlplane.gunicorn")
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


class NotServing(DeploymentError):
    """The product was started, and its pages do not come."""

    code = "not-serving"

    def __init__(self, *, port: int, why: str) -> None:
        super().__init__(
            f"No page can be had at port {port}: {why}. No target was changed. Read what the processes wrote above, "
            "or into their logs, then start again, if need be with another port."
        )


@contextmanager
def product(folder: Path = VAR, *, debug: bool = True) -> Iterator[tuple[LocalServers, dict[str, str]]]:
    """Yield the servers and the environment of a migrated installation, which runs while the block does.

    Without `debug` it is one as in production, but for cookies that travel without TLS, so that a browser on this
    machine can sign in; its static files are collected.
    """
    with LocalServers(folder) as servers:
        told = folder / ENVIRONMENT
        told.unlink(missing_ok=True)  # of an owner that was killed
        secret = kept_password(folder / "secret_key")
        own = {
            "SECRET_KEY": secret,
            "ARTIFACTS": str(folder / "artifacts"),
            "STATIC_FOLDER": str(folder / "static"),
            "HEALTH_NETWORKS": '["127.0.0.0/8"]',
        }
        if servers.postgres is not None:
            own |= {OWN_SERVER: servers.postgres.superuser_url(), "REHEARSAL_SERVER": f"env:{OWN_SERVER}"}
        own |= ({"DEBUG": "true"} if debug else AS_IN_PRODUCTION) | servers.environment()
        environment = os.environ | own
        subprocess.run(manage("migrate", "--verbosity=0"), env=environment, cwd=ROOT, check=True)
        if not debug:
            collect = manage("collectstatic", "--noinput", "--clear", "--verbosity=0")
            subprocess.run(collect, env=environment, cwd=ROOT, check=True)
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
    port = int(options[0]) if options else free_port()
    with product() as (servers, environment), Children() as children:
        serve(children, environment, port)
        sys.stdout.write(
            f"Locktender is at http://127.0.0.1:{port}/, with a dispatcher and a worker. Ctrl-C stops it.\n"
            "Commands beside it: make manage ARGS=help\n"
        )
        sys.stdout.flush()
        while (ended := children.ended) is None:
            servers.require_running()
            time.sleep(LOOK_SECONDS)
        return ended.returncode


def serve(
    children: Children, environment: Mapping[str, str], port: int, *, debug: bool = True, logs: Path | None = None
) -> None:
    """Start a dispatcher, a worker and the web process, which are ready some time later: see `wait_until_ready`.

    `debug` is that of the installation. What they say goes to this terminal, or into the folder `logs`.
    """
    address = f"{LOOPBACK}:{port}"
    web = manage("runserver", "--noreload", address) if debug else [sys.executable, *GUNICORN, "--bind", address]
    for name, command, known_by in (
        ("dispatcher", manage("dispatch"), "dispatch"),
        ("worker", [sys.executable, *WORKER], "worker"),
        ("web", web, "runserver" if debug else GUNICORN[-1]),
    ):
        log = None if logs is None else logs / f"{name}.log"
        children.start(command, known_by=known_by, environment=environment, cwd=ROOT, log=log)


def wait_until_ready(children: Children, port: int) -> None:
    """Return when the web process answers that it is ready.

    Raises NotServing if one of the children ends before, or if it takes longer than READY_SECONDS.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(port):
        if (ended := children.ended) is not None:
            raise NotServing(port=port, why=f"a process ended with {ended.returncode}")
        if time.monotonic() > deadline:
            raise NotServing(port=port, why=f"it was not ready within {READY_SECONDS:g} seconds")
        time.sleep(LOOK_SECONDS)


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
