"""Filling a new database from an unpacked dump, with pg_restore, up to its first error."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.clients import Client
from deployments.postgres.connect import Holder, Target, session
from deployments.postgres.programs import connection_files, running
from deployments.postgres.stop import Stop

PROGRESS_SECONDS = 1.0
# Its commits do not wait for the log. The one that gives the database its properties in the end does, and with it all
# that were before are durable; nobody trusts the database sooner.
SETTINGS = " ".join(
    f"-c {setting}"
    for setting in (
        "synchronous_commit=off",
        "maintenance_work_mem=256MB",
        "default_transaction_read_only=off",
        "lock_timeout=0",
        "statement_timeout=0",
    )
)
KNOWS_TRANSACTION_TIMEOUT = 170000
# What pg_restore 17 and later says to every session, and an older server does not know. It means nothing there.
UNKNOWN_TO_OLDER = 'unrecognized configuration parameter "transaction_timeout"'
IGNORED = re.compile(r"errors ignored on restore: (\d+)$")
VALUES = re.compile(r'"[^"]*"')


class RestoreFailed(DeploymentError):
    """A backup could not be restored."""

    code = "restore-failed"

    def __init__(self, *, name: str, detail: str) -> None:
        super().__init__(
            f"The backup could not be restored into {name}: {detail.rstrip('.')}. That new database is not there, and "
            "no other was touched. Correct what is named here, then ask for it again."
        )


@dataclass(slots=True)
class Heard:
    """How far pg_restore is, and the first thing it complains about."""

    tables: int
    is_noise: Callable[[str], bool]
    done: int = 0
    table: str = ""
    errors: list[str] = field(default_factory=list)
    noise: int = 0

    def hear(self, line: str) -> None:
        """Take in one line."""
        if found := re.search(r'processing data for table "(.*)"$', line):
            self.table = found[1]
        elif re.search(r"finished item \d+ TABLE DATA ", line):
            self.done += 1
        elif ": error: " in line and self.is_noise(line):
            self.noise += 1
        elif ": error: " in line or ": fatal: " in line:
            self.errors.append(line)


def fill(
    restored: Target,
    holder: Holder,
    content: Mapping[str, Any],
    client: Client,
    dump: Path,
    *,
    jobs: int,
    stop: Stop,
    progress: Callable[[dict[str, Any]], None],
) -> None:
    """Have pg_restore fill the database, and stop at its first error. Raises RestoreFailed."""
    with session(restored, name=holder.session_name) as opened:
        is_old = opened.info.server_version < KNOWS_TRANSACTION_TIMEOUT and client.number >= KNOWS_TRANSACTION_TIMEOUT
        files = connection_files(opened, target=restored.name, name=holder.session_name, settings=SETTINGS)
        secret = opened.info.password
    heard = Heard(tables=len(content["rows"]), is_noise=lambda line: is_old and UNKNOWN_TO_OLDER in line)
    told_at = 0.0

    def look() -> None:
        nonlocal told_at
        if heard.errors:
            raise _refusal(restored, heard.errors, secret)
        if time.monotonic() - told_at >= PROGRESS_SECONDS:
            told_at = time.monotonic()
            progress({"tables": heard.tables, "tables_done": heard.done, "table": heard.table, "jobs": jobs})

    arguments = ["--dbname=service=target", f"--jobs={jobs}", "--no-password", "--verbose", str(dump)]
    if not is_old:
        arguments.insert(0, "--exit-on-error")
    with running(client.pg_restore, arguments, files=files, tell=heard.hear) as ran:
        status = ran.wait(stop, meanwhile=look)
    if heard.errors or (status != 0 and not _is_only_noise(heard, ran.said)):
        raise _refusal(restored, heard.errors or [f"it ended with status {status}, and without a word why"], secret)


def _is_only_noise(heard: Heard, said: Iterable[str]) -> bool:
    """Return whether it came to its end and ignored nothing but noise. That of its workers it tells, and counts not."""
    ignored = next((int(found[1]) for line in said if (found := IGNORED.search(line))), None)
    return ignored is not None and ignored <= heard.noise


def _refusal(restored: Target, errors: Sequence[str], secret: str) -> RestoreFailed:
    detail = re.sub(r"^.*?: (error|fatal): ", "", errors[0])
    command, colon, message = detail.partition("ERROR:")
    if "COPY" in command:  # what the server quotes there are values
        message = VALUES.sub("…", message)
    detail = f"pg_restore stopped: {command}{colon}{message}"
    return RestoreFailed(name=restored.dbname, detail=detail.replace(secret, "…") if secret else detail)
