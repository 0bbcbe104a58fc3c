"""Filling a new database from an unpacked dump, with pg_restore, up to its first error."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from deployments.errors import DeploymentError
from deployments.postgres.backup.course import Course, Phase
from deployments.postgres.backup.gate_left_out import list_without_gate
from deployments.postgres.clients import Client
from deployments.postgres.connect import Holder, Session, Target, session
from deployments.postgres.programs import connection_files, running
from deployments.postgres.progress import Doing, look
from deployments.postgres.stop import Stop

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
    """What pg_restore says: how far it is, and the first thing it complains about."""

    course: Course
    is_noise: Callable[[str], bool]
    errors: list[str] = field(default_factory=list)
    noise: int = 0

    def hear(self, line: str) -> None:
        """Take in one line."""
        if found := re.search(r'processing data for table "(.*)"$', line):
            self.course.table = found[1]
        elif found := re.search(r"finished item (\d+) TABLE DATA ", line):
            self.course.finished(found[1])
        elif ": error: " in line and self.is_noise(line):
            self.noise += 1
        elif ": error: " in line or ": fatal: " in line:
            self.errors.append(line)


def fill(
    restored: Target,
    holder: Holder,
    client: Client,
    dump: Path,
    *,
    jobs: int,
    stop: Stop,
    course: Course,
    options: Sequence[str] = (),
) -> None:
    """Have pg_restore fill the database, and stop at its first error. `options` choose parts of the dump.

    A session of ours looks on meanwhile, to tell how far it is. Raises RestoreFailed.
    """
    with session(restored, name=holder.session_name) as opened:
        is_old = opened.info.server_version < KNOWS_TRANSACTION_TIMEOUT and client.number >= KNOWS_TRANSACTION_TIMEOUT
        files = connection_files(opened, target=restored.name, name=holder.session_name, settings=SETTINGS)
        secret = opened.info.password
        heard = Heard(course, is_noise=lambda line: is_old and UNKNOWN_TO_OLDER in line)

        def look_on() -> None:
            if heard.errors:
                raise _refusal(restored, heard.errors, secret)
            course.look(lambda: _sessions(opened, holder.session_name))

        is_chosen = any(one.startswith("--use-list=") for one in options)
        if not is_chosen and (chosen := list_without_gate(opened, client, dump, stop=stop)) is not None:
            options = [*options, f"--use-list={chosen}"]
        arguments = ["--dbname=service=target", f"--jobs={jobs}", "--no-password", "--verbose", *options, str(dump)]
        if not is_old:
            arguments.insert(0, "--exit-on-error")
        course.begin(Phase.ROWS)
        with running(client.pg_restore, arguments, files=files, tell=heard.hear) as ran:
            status = ran.wait(stop, meanwhile=look_on)
    if heard.errors or (status != 0 and not _is_only_noise(heard, ran.said)):
        raise _refusal(restored, heard.errors or [f"it ended with status {status}, and without a word why"], secret)


def _sessions(opened: Session, name: str) -> list[Doing]:
    """Return what pg_restore's sessions do; nothing where the server does not say."""
    with suppress(psycopg.Error):
        return look(opened, pid=None, name=name)
    return []


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
