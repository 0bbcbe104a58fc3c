"""Local mode: the whole product on one machine, with its own servers, for as long as the command runs."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from controlplane.embedded import LocalServers
from deployments.errors import DeploymentError

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "local"
STOP_SECONDS = 20


def main(arguments: Sequence[str]) -> int:
    """Run `dev`, or `run COMMAND …`, and return the exit status."""
    match list(arguments):
        case ["dev", *options]:
            return dev(options)
        case ["run", *command] if command:
            return run(command)
    sys.stderr.write("usage: python -m controlplane.local dev [PORT] | run COMMAND [ARGUMENT …]\n")
    return 2


@contextmanager
def product(folder: Path = VAR) -> Iterator[dict[str, str]]:
    """Yield the environment of a migrated installation whose servers run while the block does."""
    with LocalServers(folder) as servers:
        environment = os.environ | {"DEBUG": "true", "SECRET_KEY": kept_secret(folder)} | servers.environment()
        subprocess.run(manage("migrate", "--verbosity=0"), env=environment, cwd=ROOT, check=True)
        yield environment


def kept_secret(folder: Path) -> str:
    """Return the key that signs sessions, made at the first start and kept in a file only its owner reads."""
    file = folder / "secret_key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def manage(*arguments: str) -> list[str]:
    """Return the argument list of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def dev(options: Sequence[str]) -> int:
    """Serve until Ctrl-C, or until one of the processes ends."""
    port = options[0] if options else str(free_port())
    with product() as environment, ExitStack() as running:
        web = start(running, manage("runserver", "--noreload", f"127.0.0.1:{port}"), environment)
        sys.stdout.write(f"Locktender is at http://127.0.0.1:{port}/ · Ctrl-C stops it.\n")
        sys.stdout.flush()
        return web.wait()


def run(command: Sequence[str]) -> int:
    """Run one command against the local servers and return its exit status."""
    with product() as environment:
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def start(running: ExitStack, command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process that is ended when `running` closes."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    running.callback(end, process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and kill it if it does not."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DeploymentError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    except KeyboardInterrupt:
        sys.exit(130)
