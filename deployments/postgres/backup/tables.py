"""Single tables of a backup, put beside those of now into a schema of their own, for a repair by hand.

Nothing that is there is touched. The backup's own definitions are restored into a scratch database, its rows of these
tables too and compared with the manifest; then the rows are copied, in one transaction with the schema: all of it is
there, or nothing.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.backup.archive import CONTENTS, DUMP, BackupUnreadable, Manifest
from deployments.postgres.backup.beside import SideTable, copied, found_side
from deployments.postgres.backup.course import Course, Phase
from deployments.postgres.backup.filling import fill
from deployments.postgres.backup.measure import Sample, Table, measure, measure_plainly
from deployments.postgres.backup.packing import Damaged, plain_name, unpack_all
from deployments.postgres.backup.properties import Properties, create_database
from deployments.postgres.backup.restore import RestoreWithoutRoom
from deployments.postgres.backup.scratch import AS_ADMINISTRATOR, Scratch, drop_scratch
from deployments.postgres.backup.sealing import Keys, Seal
from deployments.postgres.clients import Client
from deployments.postgres.connect import Holder, Session, Target, session
from deployments.postgres.programs import running
from deployments.postgres.stop import Stop

# The tables that hold the rows of one that is named: itself, or its partitions.
LEAVES = """
SELECT namespace.nspname, relation.relname FROM pg_class named
JOIN pg_namespace of_it ON of_it.oid = named.relnamespace
JOIN LATERAL (
    SELECT named.oid AS relid WHERE named.relkind = 'r'
    UNION ALL SELECT relid FROM pg_partition_tree(named.oid) WHERE isleaf AND named.relkind = 'p') leaf ON true
JOIN pg_class relation ON relation.oid = leaf.relid
JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE of_it.nspname || '.' || named.relname = %s AND named.relkind IN ('r', 'p')
"""
OWN_NAME = "SELECT current_user"


class TableNotInBackup(DeploymentError):
    """A backup does not hold a table that is wanted from it."""

    code = "table-not-in-backup"

    def __init__(self, *, table: str) -> None:
        super().__init__(
            f"The backup holds no table {table}, or not by that name alone. Nothing was restored, and the database was "
            "not changed. Name tables as schema.table, as the manifest of the backup does."
        )


class TableDiffers(DeploymentError):
    """The rows of a table that was restored are not those that were backed up."""

    code = "table-differs"

    def __init__(self, *, table: str, what: str) -> None:
        super().__init__(
            f"{table} was restored from the backup, and is not as it was: {what}. Nothing was put into the database. "
            "Take another backup, and look at the disk below the artifacts store."
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tables go where, and for whom: `named` as schema.table, `side` the new schema, `mark` its comment."""

    named: tuple[str, ...]
    side: str
    mark: str


def put_beside(
    target: Target,
    server: Target,
    holder: Holder,
    wanted: Wanted,
    *,
    place: Path,
    manifest: Manifest,
    scratch: Scratch,
    client: Client,
    jobs: int,
    into: Path,
    stop: Stop,
    progress: Callable[[dict[str, Any]], None],
    keys: Keys,
) -> list[SideTable]:
    """Put tables of a backup into a new schema of the target, and return them; what was put there before is returned.

    `server` has the scratch database meanwhile. Raises TableNotInBackup, TableDiffers, SideSchemaTaken, RestoreFailed,
    RestoreWithoutRoom, BackupUnreadable, what opening sessions and `keys` raise, psycopg.Error, OSError.
    """
    with session(target, name=holder.session_name) as opened:
        if (there := found_side(opened, wanted.side, mark=wanted.mark)) is not None:
            return there
    content = manifest.content
    seal = keys.seal_of(content.get("encryption"), what=f"The backup in {place}")
    course = Course(progress, content["files"], content["rows"], {}, jobs)
    with _unpacking(place, into, seal, jobs=jobs, stop=stop, course=course) as unpack, _dropped(
        server, scratch, holder
    ):  # fmt: skip
        inside = replace(server, dbname=str(scratch))
        with session(server, name=holder.session_name) as opened:
            _create(opened, str(scratch), content)
        unpack({name: fact for name, fact in content["files"].items() if plain_name(name) == CONTENTS})
        bare = ("--no-owner", "--no-privileges")
        fill(inside, holder, client, into / DUMP, jobs=jobs, stop=stop, course=Course(progress, jobs=jobs),
             options=[*bare, "--section=pre-data"])  # fmt: skip
        with session(inside, name=holder.session_name) as opened:
            leaves = {named: _leaves(opened, named, content) for named in wanted.named}
        every = {str(leaf): leaf for of_one in leaves.values() for leaf in of_one}
        chosen, files = _entries(list(every.values()), content, client, into, stop)
        plain = sum(fact["plain_bytes"] for fact in files.values())
        if (free := shutil.disk_usage(into).free) < plain:
            raise RestoreWithoutRoom(where=str(into), free=free, wanted=plain)
        unpack(files)
        course.files, course.rows = files, {name: content["rows"][name] for name in every}
        fill(inside, holder, client, into / DUMP, jobs=jobs, stop=stop, course=course,
             options=[*bare, "--section=data", f"--use-list={chosen}"])  # fmt: skip
        course.begin(Phase.COMPARE)
        with session(inside, name=holder.session_name) as source:
            measure_plainly(source)
            for leaf in every.values():
                course.add(_require_equal(source, leaf, content))
                course.look()
            return copied(source, target, wanted.named, wanted.side, mark=wanted.mark, name=holder.session_name,
                          stop=stop, meanwhile=course.look)  # fmt: skip


@contextmanager
def _unpacking(
    place: Path, into: Path, seal: Seal | None, *, jobs: int, stop: Stop, course: Course
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give what unpacks files of the backup into a folder that is gone afterwards. Raises BackupUnreadable."""
    shutil.rmtree(into, ignore_errors=True)  # of an attempt that died: there is one at a time
    into.mkdir(mode=0o700)

    def unpack(files: Mapping[str, Any]) -> None:
        part = into / "part"
        try:
            unpack_all(place, files, into=part, jobs=jobs, seal=seal, stop=stop, tell=course.add, meanwhile=course.look)
        except Damaged as damaged:
            raise BackupUnreadable(place=place, why=str(damaged)) from damaged
        (into / DUMP).mkdir(exist_ok=True)
        for file in (part / DUMP).iterdir():
            file.rename(into / DUMP / file.name)
        shutil.rmtree(part)

    try:
        yield unpack
    finally:
        shutil.rmtree(into, ignore_errors=True)


@contextmanager
def _dropped(server: Target, scratch: Scratch, holder: Holder) -> Iterator[None]:
    try:
        yield
    finally:
        drop_scratch(server, scratch, name=holder.session_name)


def _create(opened: Session, name: str, content: Mapping[str, Any]) -> None:
    opened.execute(AS_ADMINISTRATOR)
    row = opened.execute(OWN_NAME).fetchone()
    wanted = Properties.of_manifest(content["database"])
    create_database(opened, name, replace(wanted, owner=row[0] if row else wanted.owner))


def _leaves(opened: Session, named: str, content: Mapping[str, Any]) -> list[Table]:
    """Return the tables that hold the rows of one that is named. Raises TableNotInBackup."""
    found = [Table(0, *row) for row in opened.execute(LEAVES, [named]).fetchall()]
    if not found or any(str(leaf) not in content["rows"] for leaf in found):
        raise TableNotInBackup(table=named)
    return found


def _entries(
    leaves: Sequence[Table], content: Mapping[str, Any], client: Client, into: Path, stop: Stop
) -> tuple[Path, dict[str, Any]]:
    """Return a list for pg_restore with the rows of these tables alone, and their files. Raises TableNotInBackup."""
    told, chosen = into / "contents", into / "chosen"
    with running(client.pg_restore, ["--list", f"--file={told}", str(into / DUMP)], files={}) as reader:
        if reader.wait(stop) != 0:
            raise BackupUnreadable(place=into, why="pg_restore cannot read its list of contents")
    lines, owners = told.read_text(encoding="utf-8").splitlines(), set(content["database"]["roles"])
    picked: list[str] = []
    files: dict[str, Any] = {}
    for leaf in leaves:
        # A name may hold spaces, so that only what stands behind it tells where it ends: the owner.
        words = f" TABLE DATA {leaf.schema} {leaf.name} "
        found = [line for line in lines if words in line and line.partition(words)[2] in owners]
        if len(found) != 1:
            raise TableNotInBackup(table=f"{leaf.schema}.{leaf.name}")
        picked.append(found[0])
        number = found[0].partition(";")[0]
        files |= {name: fact for name, fact in content["files"].items() if plain_name(name) == f"{DUMP}/{number}.dat"}
    chosen.write_text("\n".join([*picked, ""]), encoding="utf-8")
    return chosen, files


def _require_equal(opened: Session, leaf: Table, content: Mapping[str, Any]) -> int:
    """Return the rows of a table. Raises TableDiffers if it does not hold what the manifest says of it.

    What that does not say is not asked.
    """
    rows, hashed = content["rows"].get(str(leaf)), content["hashes"].get(str(leaf))
    told = content.get("samples", {}).get(str(leaf))
    sample = Sample.of_manifest(told) if told else None
    found = measure(opened, leaf, is_hashed=hashed is not None, sample=sample)
    if rows is not None and found[0] != rows:
        raise TableDiffers(table=str(leaf), what=f"{found[0]:,} rows instead of {rows:,}")
    if hashed is not None and found[1] != hashed:
        raise TableDiffers(table=str(leaf), what="as many rows, and not the same ones")
    return found[0]
