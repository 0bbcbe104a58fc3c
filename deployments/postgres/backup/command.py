"""A backup made by a command that the server's configuration names: JSON in, JSON out, bounded in time and in output.

Nothing of it comes from the control database or the web but the name of the driver. There is no shell, its environment
is given explicitly, and it is ended, with all that it started, when we end.
"""

import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.connect import read_secret
from deployments.postgres.programs import running
from deployments.postgres.stop import Stop

PROTOCOL = 1
MOST_ANSWER_BYTES = 65_536
LONGEST_TEXT = 500  # of one value of an answer, and of what is told of an error
TIMEOUT = timedelta(hours=6)


class DriverUnknown(DeploymentError):
    """A policy names a driver that the configuration of this server does not have."""

    code = "backup-driver-unknown"

    def __init__(self, *, name: str, known: list[str]) -> None:
        told = f"It has: {', '.join(known)}" if known else "It has none"
        super().__init__(
            f"The plan's backup is made by the driver {name}, and the configuration of this worker has none of that "
            f"name. {told}. There is no backup, and no target was changed. Name it in BACKUP_DRIVERS on every worker, "
            "or correct backup_driver in the policy, then ask for a new run."
        )


class DriverUnusable(DeploymentError):
    """The program of a driver is not one that may be run."""

    code = "backup-driver-unusable"

    def __init__(self, *, name: str, command: Path, why: str) -> None:
        super().__init__(
            f"The backup driver {name} is not run: {command}: {why}. There is no backup, and no target was changed. "
            "Correct the file or its folder, or BACKUP_DRIVERS, then ask for a new run."
        )


class DriverFailed(DeploymentError):
    """A driver did not do it, or did not answer as it should."""

    code = "backup-driver-failed"

    def __init__(self, *, name: str, phase: str, why: str) -> None:
        super().__init__(
            f"The backup driver {name} failed at {phase}: {why.rstrip('.')}. What it made counts as no backup, and no "
            "target was changed. Correct what is named here, then ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Driver:
    """A command, by its absolute path. `environment` are references: env:NAME or file:/path, by the variable's name."""

    name: str
    command: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: timedelta = TIMEOUT

    def require_usable(self) -> None:
        """Raise DriverUnusable unless its program may be run."""
        if why := unusable(self.command):
            raise DriverUnusable(name=self.name, command=self.command, why=why)

    def ask(self, phase: str, told: Mapping[str, Any], *, stop: Stop) -> dict[str, Any]:
        """Run it for one phase and return its answer, an object of protocol 1.

        Raises DriverUnusable, DriverFailed, what reading the secrets raises, and what `stop` raises.
        """
        self.require_usable()
        secrets = {variable: read_secret(reference) for variable, reference in self.environment.items()}
        until = time.monotonic() + self.timeout.total_seconds()

        def require_time() -> None:
            if time.monotonic() > until:
                raise self._failed(phase, f"it was not done within {self.timeout.total_seconds():g} s")

        question = json.dumps({"protocol": PROTOCOL, "phase": phase, **told})
        with running(
            self.command.resolve(), [], files={}, given=question, environment=secrets, most_answer=MOST_ANSWER_BYTES
        ) as ran:
            status = ran.wait(stop, meanwhile=require_time)
        if status != 0:
            said = ran.said[-1] if ran.said else "without a word"
            for secret in secrets.values():
                said = said.replace(secret, "…")
            raise self._failed(phase, f"it ended with {status}: {said[:LONGEST_TEXT]}")
        if ran.answer is None:
            raise self._failed(phase, f"its answer has more than {MOST_ANSWER_BYTES} bytes")
        try:
            answer = json.loads(ran.answer)
        except ValueError:
            raise self._failed(phase, "its answer is no JSON") from None
        if not isinstance(answer, dict) or answer.get("protocol") != PROTOCOL:
            raise self._failed(phase, f'its answer is no object with "protocol": {PROTOCOL}')
        return answer

    def text(self, phase: str, answer: Mapping[str, Any], name: str, *, required: bool = False) -> str:
        """Return a text of an answer, "" if it is not there. Raises DriverFailed if it is none, or too long."""
        value = answer.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value or (required and not value):
            raise self._failed(phase, f'"{name}" of its answer must be a text of at most {LONGEST_TEXT} characters')
        return value

    def flag(self, phase: str, answer: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
        """Return a truth of an answer. Raises DriverFailed if it is none."""
        value = answer.get(name, default)
        if not isinstance(value, bool):
            raise self._failed(phase, f'"{name}" of its answer must be true or false')
        return value

    def size(self, phase: str, answer: Mapping[str, Any], name: str) -> int:
        """Return a number of bytes of an answer, 0 if it is not told. Raises DriverFailed if it is none."""
        value = answer.get(name) or 0
        if type(value) is not int or not 0 <= value < 2**63:
            raise self._failed(phase, f'"{name}" of its answer must be a number of bytes')
        return value

    def _failed(self, phase: str, why: str) -> DriverFailed:
        return DriverFailed(name=self.name, phase=phase, why=why)


def unusable(command: Path) -> str:
    """Return why a program may not be run by its path, "" if it may: who could change it must be trusted already."""
    if not command.is_absolute():
        return "its path is not absolute"
    try:
        real = command.resolve(strict=True)
        found = real.stat()
        folders = [(folder, folder.stat()) for folder in real.parents]
    except OSError as missing:
        return f"it cannot be looked at ({missing.strerror})"
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    untrusted = [_untrusted("it", found), *(_untrusted(f"its folder {folder}", seen) for folder, seen in folders)]
    if why := next(filter(None, untrusted), ""):
        return why
    return "" if os.access(real, os.X_OK) else "it cannot be executed"


def _untrusted(what: str, found: os.stat_result) -> str:
    """Return why somebody else could put another program there, "" if nobody can."""
    # In a folder like /tmp everybody may write, and only its owner take a file away.
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & stat.S_IWOTH and not is_sticky:
        return f"everybody may write {what}"
    if found.st_uid not in {0, os.getuid()}:
        return f"{what} belongs neither to root nor to the user of this process"
    return ""
