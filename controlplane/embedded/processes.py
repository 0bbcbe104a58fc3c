"""Child processes that are servers: starting, stopping, recognising one that outlived its owner, choosing its port."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from controlplane.embedded.errors import LeftoverDoesNotEnd
from controlplane.embedded.identity import CALLER, Identity

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.015
_LOG_LIMIT_BYTES = 10_000_000
_REASON_LINES = 5
# Below the ports that systems hand out to outgoing connections, one of which could take a stopped server's
# port.
_PORTS = range(20_000, 32_000)
_PORT_ATTEMPTS = 200
_LIST_TIMEOUT_SECONDS = 10.0

# What to send, in order, and how long each has to work before the next one is sent.
Escalation = Sequence[tuple[signal.Signals, timedelta]]
LAST_RESORT = (signal.SIGKILL, timedelta(seconds=10))


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    identity: Identity = CALLER,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C in the owner's terminal does not reach it.

    Its output is appended to `log`, which only the owner may read. It gets `environment` and nothing of the
    owner's, which may hold secrets, or settings meant for another server.

    Raises OSError if the program cannot be started.
    """
    with _open_log(log) as output:
        return subprocess.Popen(
            [*identity.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",  # no folder is kept busy, and the current folder may be closed to the new user
            env={"PATH": os.defpath, **(environment or {})},
            umask=0o077,
            start_new_session=True,
            **identity.popen,
        )


def end(process: subprocess.Popen[bytes], escalation: Escalation) -> None:
    """End a child with the first signal that works; return at once if it has ended already.

    Raises subprocess.TimeoutExpired if even the last signal did not work.
    """
    for number, patience in (*escalation, LAST_RESORT):
        if process.poll() is not None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a process that was stopped would never see the other signal
        try:
            process.wait(patience.total_seconds())
        except subprocess.TimeoutExpired:
            if number == signal.SIGKILL:
                raise


def end_leftover(pid: int, *, program: str, argument: str, escalation: Escalation) -> None:
    """End a server that an owner who crashed left behind. Only a process that `runs` says is that server is touched.

    Raises LeftoverDoesNotEnd if it is still there after the last signal.
    """
    for number, patience in (*escalation, LAST_RESORT):
        deadline = time.monotonic() + patience.total_seconds()
        if runs(pid, program=program, argument=argument):
            _send(pid, number)
            _send(pid, signal.SIGCONT)
        while runs(pid, program=program, argument=argument):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            return
    raise LeftoverDoesNotEnd(pid=pid, program=program)


def runs(pid: int, *, program: str, argument: str) -> bool:
    """Tell whether the process is alive, is that program, and was started with that argument.

    A process id from a file proves nothing: the number may belong to a stranger by now. A process that has
    ended but was not collected by its parent does not run.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return not Path("/proc/self").exists() and _listed(pid, program=program, argument=argument)
    return Path(os.fsdecode(words[0])).name == program and os.fsencode(argument) in words[1:]


def exists(pid: int) -> bool:
    """Tell whether any process has this number, whoever it is."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now. It may be taken by the time it is used.

    Raises OSError if none was found.
    """
    for _ in range(_PORT_ATTEMPTS):
        port = secrets.choice(_PORTS)
        with socket.socket() as candidate:
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    message = f"no free port between {_PORTS.start} and {_PORTS.stop} on {LOOPBACK}"
    raise OSError(message)


def log_size(log: Path) -> int:
    """Return the size of a log in bytes; 0 if it does not exist."""
    return log.stat().st_size if log.exists() else 0


def log_since(log: Path, size_bytes: int) -> str:
    """Return what was written to a log after it had that size."""
    with log.open("rb") as written:
        written.seek(size_bytes)
        return written.read().decode(errors="replace")


def reason_in(text: str) -> str:
    """Return the lines of a log that say why a server gave up, as one sentence: the fatal ones, else the last ones."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "error:" in line.lower()]
    return (" / ".join((fatal or lines)[-_REASON_LINES:]) or "it ended without a word").rstrip(".") + "."


def _open_log(path: Path) -> BinaryIO:
    if log_size(path) > _LOG_LIMIT_BYTES:
        path.replace(path.with_name(path.name + ".old"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended between the look and the signal


def _listed(pid: int, *, program: str, argument: str) -> bool:
    """Do as `runs` on a system without /proc, where arguments are only shown joined by spaces."""
    answer = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
        timeout=_LIST_TIMEOUT_SECONDS,
    ).stdout
    return f"{program} " in answer and argument in answer
