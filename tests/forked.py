"""Programs of the product, started within milliseconds: each is forked from a process that has read their modules.

What runs is what `manage.py` or `celery` runs, in a process of its own that reads its settings from its own environment
and that can be killed, halted and waited for. Starting Python for it takes a hundred times as much.
"""

import contextlib
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
MODULES = (
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "deployments.management.commands.dispatch",
    "deployments.management.commands.execute_job",
)
REQUEST_BYTES = 2**18


class Program:
    """A program that runs, with what the tests use of a `subprocess.Popen`."""

    def __init__(self, *arguments: str, environment: dict[str, str], is_heard: bool = False) -> None:
        """Start it: `manage.py …` or `celery …`. Its output is read by `communicate`, or thrown away."""
        self.args = arguments
        self.returncode: int | None = None
        self._output, theirs = os.pipe() if is_heard else (None, os.open(os.devnull, os.O_WRONLY))
        told, tells = os.pipe()
        request = json.dumps([arguments, environment]).encode()
        socket.send_fds(nursery(), [request], [theirs, tells])
        os.close(theirs)
        os.close(tells)
        self._told = os.fdopen(told)
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit status; a signal is a negative one. Raises TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._told.readline() or -signal.SIGKILL)  # the keeper itself was killed
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for the end, and return the whole output. Raises TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pieces = [b""]
        while self._output is not None:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            if not select.select([self._output], [], [], left)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            pieces.append(os.read(self._output, 2**16))
            if not pieces[-1]:
                os.close(self._output)
                self._output = None
        self.wait(None if deadline is None else max(0, deadline - time.monotonic()))
        return b"".join(pieces).decode(), None

    def __enter__(self) -> Self:
        """Return the program itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for the end, like a Popen."""
        if self._output is not None:
            os.close(self._output)
            self._output = None
        self.wait()


@functools.cache
def nursery() -> socket.socket:
    """Start the process that forks, once, and return the line to it. It ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_BYTES)
    with theirs:
        subprocess.Popen([sys.executable, "-m", "tests.forked"], stdin=theirs, cwd=ROOT).returncode = 0  # not awaited
    return ours


def serve() -> tuple[list[str], dict[str, str]]:
    """Fork for every request. Returns in each forked process, with what it shall run; ends with the one who asks."""
    with socket.socket(fileno=0) as line:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the keepers: nobody waits for them
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks: this ends with it
        while True:
            request, descriptors, _, _ = socket.recv_fds(line, REQUEST_BYTES, 2)
            if not request:
                sys.exit()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                break
            for descriptor in descriptors:
                os.close(descriptor)
    output, tells = descriptors
    if pid := os.fork():
        keep(pid, tells)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in descriptors:
        os.close(descriptor)
    arguments, environment = json.loads(request)
    return arguments, environment


def keep(pid: int, tells: int) -> None:
    """Tell who the program is, and how it ended. Does not return."""
    with contextlib.suppress(BrokenPipeError):
        os.write(tells, f"{pid}\n".encode())
        os.write(tells, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def read_settings(environment: dict[str, str]) -> None:
    """Have the environment and all that was read from it be those of a program that has just been started."""
    from django.conf import settings  # noqa: PLC0415 # the side that asks needs none of it
    from django.db import connections  # noqa: PLC0415
    from django.utils.functional import empty  # noqa: PLC0415

    from controlplane.configuration import configuration  # noqa: PLC0415

    os.environ.clear()
    os.environ.update(environment)
    configuration.cache_clear()
    del sys.modules["controlplane.settings"]
    settings.__dict__.clear()
    settings.__dict__["_wrapped"] = empty
    connections.__dict__.clear()
    connections.__init__()


def main() -> Any:
    """Read the modules, fork whenever asked, and run what was asked for."""
    import django  # noqa: PLC0415

    django.setup()
    for name in MODULES:
        importlib.import_module(name)
    arguments, environment = serve()
    read_settings(environment)
    sys.argv = arguments
    if arguments[0] == "celery":
        return importlib.import_module("celery.bin.celery").main()
    return importlib.import_module("django.core.management").execute_from_command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
