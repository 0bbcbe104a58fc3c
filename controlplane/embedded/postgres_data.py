"""The data folder of a PostgreSQL server while no server of ours runs on it: making it, judging it, clearing it."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from controlplane.embedded.binaries import PostgresBinaries
from controlplane.embedded.errors import InitialisationFailed, OtherDataVersion
from controlplane.embedded.identity import Identity
from controlplane.embedded.passwords import sync_folder, write_private
from controlplane.embedded.processes import (
    end,
    end_leftover,
    exists,
    log_since,
    log_size,
    reason_in,
    runs,
    spawn,
)

# One language for the log, no matter whose shell started us; other systems than Linux may not know C.UTF-8.
_LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"
ENVIRONMENT = {"LC_ALL": _LOCALE, "TZ": "UTC"}
_BUILTIN_LOCALE_SINCE = 17
_INITDB_TIMEOUT = timedelta(minutes=3)
_STATUS_LINE = 7  # of postmaster.pid, counted from 0
_LEFTOVER = (
    (signal.SIGINT, timedelta(seconds=30)),  # fast: sessions are ended, nothing needs recovery
    (signal.SIGQUIT, timedelta(seconds=10)),
)


def initialise(
    data: Path,
    *,
    binaries: PostgresBinaries,
    identity: Identity,
    superuser: str,
    password: str,
    log: Path,
    durable: bool,
) -> None:
    """Make a new data folder with one superuser, who signs in with the password. `data` must not exist.

    It is made elsewhere and moved into place when it is whole, because a killed initdb leaves something that
    looks like a data folder and is none. Without `durable` the files may be lost in a power failure.

    Raises InitialisationFailed.
    """
    remove_unfinished(data)
    staging = data.with_name(f"{_unfinished_prefix(data)}{secrets.token_hex(4)}")
    staging.mkdir(mode=0o700)
    password_file, made = staging / "password", staging / "data"
    write_private(password_file, password + "\n")
    identity.take(staging)
    command = [
        str(binaries.program("initdb")),
        f"--pgdata={made}",
        f"--username={superuser}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        f"--locale={_LOCALE}",
    ]
    if binaries.major >= _BUILTIN_LOCALE_SINCE:
        # Sorting that depends neither on this machine's locales nor on their version.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        command.append("--no-sync")
    try:
        _run_to_the_end(command, identity=identity, log=log, folder=data)
        made.replace(data)
        if durable:
            sync_folder(data.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def remove_unfinished(data: Path) -> None:
    """Remove what killed attempts to initialise left next to the data folder."""
    for unfinished in data.parent.glob(f"{_unfinished_prefix(data)}*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def require_version(data: Path, *, major: int) -> None:
    """Return if programs of that major version can read the data folder.

    Raises OtherDataVersion.
    """
    found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(major):
        raise OtherDataVersion(folder=data, found=found, expected=major)


def clear_leftover(data: Path) -> None:
    """End a server that a crashed owner left on this folder, and see to it that its pid file blocks nobody.

    The caller holds the folder's lock, so nobody but a crashed owner can have started that server.

    Raises LeftoverDoesNotEnd.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    first, _, rest = pid_file.read_text(errors="surrogateescape").partition("\n")
    if not first.strip().isdigit():
        pid_file.unlink()  # a crash before the first word was written; PostgreSQL would refuse to guess
        return
    pid = int(first)
    if runs(pid, program="postgres", argument=str(data)):
        end_leftover(pid, program="postgres", argument=str(data), escalation=_LEFTOVER)
    if pid_file.exists() and exists(pid):
        # A stranger has the number now, and PostgreSQL would take it for a server. Removing the file would
        # also remove the check for surviving backends that write to the same memory, so only the number is
        # replaced: by that of the new server's parent, which PostgreSQL knows not to be a server.
        with pid_file.open("r+", errors="surrogateescape") as file:
            file.write(f"{os.getpid()}\n{rest}")
            file.truncate()


def is_ready(data: Path, *, pid: int) -> bool:
    """Tell whether the server with this process id accepts connections on this data folder."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS_LINE and lines[0].strip() == str(pid) and lines[_STATUS_LINE].strip() == "ready"


def _unfinished_prefix(data: Path) -> str:
    return f".{data.name}-unfinished-"


def _run_to_the_end(command: list[str], *, identity: Identity, log: Path, folder: Path) -> None:
    written_before = log_size(log)
    try:
        process = spawn(command, log=log, environment=ENVIRONMENT, identity=identity)
    except OSError as problem:
        raise InitialisationFailed(folder=folder, reason=f"{problem}.", log=log) from problem
    try:
        process.wait(_INITDB_TIMEOUT.total_seconds())
    except subprocess.TimeoutExpired as problem:
        raise InitialisationFailed(folder=folder, reason=f"not done after {_INITDB_TIMEOUT}.", log=log) from problem
    finally:
        end(process, ((signal.SIGTERM, timedelta(seconds=10)),))
    if process.returncode != 0:
        raise InitialisationFailed(folder=folder, reason=reason_in(log_since(log, written_before)), log=log)
