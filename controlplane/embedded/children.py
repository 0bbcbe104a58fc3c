"""Child processes that end with their owner, even when it is killed.

A watcher, a process of its own, learns of every child through a pipe. However the owner ends, the pipe closes, and the
watcher ends what is left. What a child starts in a session of its own, such as an executor, is nobody's to end.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane.embedded.processes import end, end_leftover

_ESCALATION = ((signal.SIGTERM, timedelta(seconds=20)),)
_ROOT = Path(__file__).resolve().parents[2]


class Children:
    """The children of this process for the length of a `with` block; they are ended last first."""

    def __init__(self) -> None:
        """Prepare; nothing is started."""
        self._started: list[subprocess.Popen[bytes]] = []
        self._watcher: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the watcher, out of reach of Ctrl-C."""
        self._watcher = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=_ROOT,
            start_new_session=True,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the children and the watcher."""
        try:
            for process in reversed(self._started):
                end(process, _ESCALATION)
        finally:
            if self._watcher is not None:
                self._watcher.communicate()

    def start(
        self,
        command: Sequence[str],
        *,
        known_by: str,
        environment: Mapping[str, str],
        cwd: Path,
        log: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child. `known_by` is one of its arguments: by it the watcher tells it from a stranger.

        What it says goes to the owner's terminal, or is appended to `log`.
        """
        with ExitStack() as opened:
            output = opened.enter_context(log.open("ab")) if log else None
            process = subprocess.Popen(command, env=environment, cwd=cwd, stdout=output, stderr=output)
        self._started.append(process)
        if self._watcher is not None and self._watcher.stdin is not None:
            told = {"pid": process.pid, "program": Path(command[0]).name, "argument": known_by}
            self._watcher.stdin.write(json.dumps(told) + "\n")
            self._watcher.stdin.flush()
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End one child before its owner ends. It no longer counts as one that has `ended`."""
        end(process, _ESCALATION)
        self._started.remove(process)

    @property
    def ended(self) -> subprocess.Popen[bytes] | None:
        """A child that has ended, or None."""
        return next((process for process in self._started if process.poll() is not None), None)


def watch(told: Iterable[str]) -> None:
    """Wait for the end of the owner, then end the children it told of, last first.

    Raises LeftoverDoesNotEnd.
    """
    for child in reversed([json.loads(line) for line in told]):
        end_leftover(child["pid"], program=child["program"], argument=child["argument"], escalation=_ESCALATION)


if __name__ == "__main__":
    watch(sys.stdin)
