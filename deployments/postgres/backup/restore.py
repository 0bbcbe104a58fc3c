"""Restoring a backup into a new database, and comparing what came of it with the snapshot that was dumped."""

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from checks.model.saved import NUMBERS_PER_MAJOR
from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.postgres.backup.archive import DUMP, BackupUnreadable, Manifest
from deployments.postgres.backup.compare import Compared, compare
from deployments.postgres.backup.course import Course, Phase
from deployments.postgres.backup.exported import UNLIMITED
from deployments.postgres.backup.filling import RestoreFailed, fill
from deployments.postgres.backup.packing import Damaged, unpack_all
from deployments.postgres.backup.properties import (
    Properties,
    carry,
    close_database,
    create_database,
    make_role,
    missing_roles,
    read_properties,
)
from deployments.postgres.backup.scratch import AS_ADMINISTRATOR
from deployments.postgres.backup.sealing import NO_KEYS, Keys
from deployments.postgres.clients import Client
from deployments.postgres.connect import LINK_ERRORS, Holder, Session, Target, session
from deployments.postgres.stop import Stop


class RestoreWithoutRoom(DeploymentError):
    """There is not enough room for what a backup holds."""

    code = "restore-without-room"

    def __init__(self, *, where: str, free: int, wanted: int) -> None:
        super().__init__(
            f"{where} has {free:,} bytes free, and restoring the backup needs {wanted:,}. Nothing was restored, and no "
            "database was touched. Make room there, then ask for it again."
        )


@dataclass(frozen=True, slots=True)
class Restored:
    """A new database with what was in a backup."""

    target: Target
    compared: Compared
    seconds: dict[str, float]
    roles_made: tuple[str, ...] = ()


def restore_to(
    server: Target,
    holder: Holder,
    *,
    place: Path,
    manifest: Manifest,
    name: str,
    client: Client,
    jobs: int,
    into: Path,
    stop: Stop,
    progress: Callable[[dict[str, Any]], None] = lambda _: None,
    log: Callable[[str], None] = lambda _: None,
    keys: Keys = NO_KEYS,
    room_bytes: int | None = None,
    make_roles: bool = False,
    is_closed: bool = True,
    analyze: bool = False,
    expected: Mapping[str, float] | None = None,
) -> Restored:
    """Restore a whole backup into a new database of that name, and compare it with the manifest.

    `server` is any database on the server that is to have it. `into` is a folder that does not exist yet, where the
    dump is unpacked; it is gone afterwards. `room_bytes` is how much room the server is known to have. Missing roles
    are made where the server is there for that only (`make_roles`). One that `is_closed` may be entered by its owner
    alone, and does not get the grants of the original. `analyze` counts its values for the planner. `expected` are
    the seconds of each part as an earlier restore took, to tell how long it still takes.

    The database is there when this returns, whatever the comparison found, and is for the caller to drop. When it
    raises, the database is dropped. Raises RestoreFailed, RestoreWithoutRoom, BackupUnreadable, what opening a session,
    `keys` and `stop` raise, and OSError where the dump cannot be unpacked.
    """
    stop.require_may_start()
    content = manifest.content
    if "database" not in content or content["scope"] != "database":
        raise RestoreFailed(name=name, detail="it is not one of a whole database with its properties")
    seal = keys.seal_of(content.get("encryption"), what=f"The backup in {place}")
    wanted = Properties.of_manifest(content["database"])
    plain_bytes = sum(fact["plain_bytes"] for fact in content["files"].values())
    if (free := shutil.disk_usage(into.parent).free) < plain_bytes:
        raise RestoreWithoutRoom(where=str(into.parent), free=free, wanted=plain_bytes)
    if room_bytes is not None and room_bytes < wanted.size_bytes:
        raise RestoreWithoutRoom(where=f"The server of {server.name}", free=room_bytes, wanted=wanted.size_bytes)
    restored = replace(server, dbname=name)
    seconds: dict[str, float] = {}
    course = Course(progress, content["files"], content["rows"], expected or {}, jobs)
    with session(server, name=holder.session_name) as opened:
        made = _create(opened, name, content, wanted, make_roles=make_roles)
        try:
            if is_closed:
                close_database(opened, name)
            crash_point("restore-created")
            with _timed(seconds, "unpack"):
                _unpack(place, manifest, into, jobs=jobs, seal=seal, stop=stop, course=course)
            with _timed(seconds, "restore"):
                fill(restored, holder, client, into / DUMP, jobs=jobs, stop=stop, course=course)
            crash_point("restore-filled")
            if analyze:
                with _timed(seconds, "analyze"):
                    course.begin(Phase.ANALYZE)
                    _analyze(restored, holder)
            log(f"Restored in {seconds['unpack'] + seconds['restore']:.1f} s; comparing it with the manifest")
            with _timed(seconds, "compare"):
                course.begin(Phase.COMPARE)
                compared = compare(
                    restored, content, name=holder.session_name, jobs=jobs, stop=stop, tell=course.add,
                    meanwhile=course.look,
                )  # fmt: skip
                compared = _with_properties(opened, restored, holder, wanted, compared, is_closed=is_closed)
        except BaseException as failed:
            _drop(opened, server, name, holder)
            if isinstance(failed, psycopg.Error) and not isinstance(failed, LINK_ERRORS):
                raise RestoreFailed(name=name, detail=_first_line(failed)) from failed
            raise
        finally:
            shutil.rmtree(into, ignore_errors=True)
    return Restored(restored, compared, seconds, tuple(made))


class _timed:  # noqa: N801 # reads as what it does
    """Notes how long its block took."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = round(time.monotonic() - self._started, 3)


def _create(opened: Session, name: str, content: Any, wanted: Properties, *, make_roles: bool) -> list[str]:
    """Create the empty database; return the roles that were made for it. Raises RestoreFailed: then it is not there.

    Or it was there before, and is somebody else's: it is left alone.
    """
    here, there = opened.info.server_version // NUMBERS_PER_MAJOR, content["server"]["version"] // NUMBERS_PER_MAJOR
    if here < there:
        raise RestoreFailed(name=name, detail=f"it is of PostgreSQL {there}, and the server is {here}")
    opened.execute(UNLIMITED)
    opened.execute(AS_ADMINISTRATOR)
    missing = missing_roles(opened, wanted)
    if missing and not make_roles:
        raise RestoreFailed(name=name, detail=f"roles that it needs are not there: {', '.join(missing)}")
    try:
        for role in missing:
            make_role(opened, role)
        create_database(opened, name, wanted)
    except psycopg.Error as refused:
        if isinstance(refused, LINK_ERRORS):
            raise
        raise RestoreFailed(name=name, detail=_first_line(refused)) from refused
    return missing


def _unpack(place: Path, manifest: Manifest, into: Path, *, jobs: int, seal: Any, stop: Stop, course: Course) -> None:
    course.begin(Phase.UNPACK)
    files = manifest.content["files"]
    try:
        unpack_all(place, files, into=into, jobs=jobs, seal=seal, stop=stop, tell=course.add, meanwhile=course.look)
    except Damaged as damaged:
        raise BackupUnreadable(place=place, why=str(damaged)) from damaged
    except FileNotFoundError as missing:
        raise BackupUnreadable(place=place, why=f"{Path(str(missing.filename)).name} is missing") from missing


def _analyze(restored: Target, holder: Holder) -> None:
    with session(restored, name=holder.session_name) as opened:
        opened.execute("SET statement_timeout = 0")
        opened.execute("ANALYZE")


def _with_properties(
    opened: Session, restored: Target, holder: Holder, wanted: Properties, compared: Compared, *, is_closed: bool
) -> Compared:
    """Give the database its settings, and its grants if it is open, and compare them too."""
    carry(opened, restored.dbname, wanted, with_grants=not is_closed)
    with session(restored, name=holder.session_name) as inside:
        found = read_properties(inside)
    differences = wanted.differences(found, with_grants=not is_closed)
    return replace(compared, differences=(*compared.differences, *differences))


def _drop(opened: Session, server: Target, name: str, holder: Holder) -> None:
    """Drop the database again, by a session of its own if the first is gone. What cannot be dropped is found later."""
    words = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with suppress(psycopg.Error, DeploymentError):
        if opened.closed or opened.broken:
            with session(server, name=holder.session_name) as another:
                another.execute(AS_ADMINISTRATOR)
                another.execute(words)
        else:
            opened.execute(words)


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
