"""What the tests of dumps share: dumping a place, client programs that misbehave, and looking at processes."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from deployments.postgres.backup.dump import Dumped, dump
from deployments.postgres.backup.exported import Exported
from deployments.postgres.backup.filling import KNOWS_TRANSACTION_TIMEOUT
from deployments.postgres.backup.measure import Limits, Table
from deployments.postgres.backup.packing import unpack_all
from deployments.postgres.backup.sealing import Seal
from deployments.postgres.clients import Client, Clients
from deployments.postgres.connect import Holder
from deployments.postgres.guard import Budget, Guard
from tests.postgres.places import INTERVAL, PATIENT, Place, Stopper

HOLDER = Holder(run=1, job=7, fence=3)
PROC = Path("/proc")


def newest(version: int = 140000) -> Client:
    """Return the programs that a dump on this machine takes."""
    return Clients().newest_for(version, tls=False, is_protected=False)


def dumped(
    place: Place,
    folder: Path,
    *,
    stop: Stopper | None = None,
    client: Client | None = None,
    choose: Callable[[Exported], Client] | None = None,
    only: list[Table] | None = None,
    jobs: int = 2,
    progress: Callable[[dict], None] = lambda _: None,
    log: Callable[[str], None] = lambda _: None,
    budget: Budget = PATIENT,
    limits: Limits = Limits(10**9),  # noqa: B008
    seal: Seal | None = None,
) -> Dumped:
    stop = stop or Stopper()
    with Guard(place.target, HOLDER, budget=budget, interval=INTERVAL, stop=stop) as guard:
        return dump(
            place.target,
            HOLDER,
            choose=choose or (lambda exported: client or newest(exported.server_version)),
            folder=folder,
            jobs=jobs,
            stop=stop,
            guard=guard,
            progress=progress,
            log=log,
            only=only,
            limits=limits,
            seal=seal,
        )


def client_in(folder: Path, *, pg_dump: str, pg_restore: str = "exit 0") -> Client:
    """Return client programs of a test's own, as shell scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in (("pg_dump", pg_dump), ("pg_restore", pg_restore)):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return Client(folder, version="18.6", number=180006)


def held_client(folder: Path) -> Client:
    """Return client programs whose pg_dump begins its work when there is a file `go` beside it."""
    wait = f'while [ ! -e "{folder}/go" ]; do sleep 0.05; done'
    real = newest().pg_dump
    return client_in(folder, pg_dump=f'[ "$1" = --version ] || {wait}\nexec "{real}" "$@"')


def tables_of(place: Place) -> list[Table]:
    """Return the tables of the schema public, by name."""
    query = (
        "SELECT relation.oid, nspname, relname FROM pg_class relation JOIN pg_namespace ON pg_namespace.oid ="
        " relnamespace WHERE relkind IN ('r', 'p') AND nspname = 'public' ORDER BY relname"
    )
    return [Table(*row) for row in place.rows(query)]


def processes(*words: str) -> dict[int, tuple[str, str]]:
    """Return command line and environment of every process whose command line holds all these words, by pid."""
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command, environment = (
                (entry / part).read_bytes().decode(errors="replace") for part in ("cmdline", "environ")
            )
        except OSError:
            continue  # it ended meanwhile
        if all(word in command for word in words):
            found[int(entry.name)] = (command, environment)
    return found


@contextmanager
def plain(archive: Path) -> Iterator[Path]:
    """Give the packed files of a dump as pg_dump wrote them."""
    facts = {f"{archive.name}/{path.name}": _fact(path) for path in archive.iterdir()}
    with tempfile.TemporaryDirectory() as folder:
        unpack_all(archive.parent, facts, into=Path(folder, "plain"), jobs=1, seal=None, stop=Stopper())
        yield Path(folder, "plain", archive.name)


def _fact(path: Path) -> dict:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def restore(archive: Path, url: str, name: str) -> None:
    """Restore an archive into a database of that name, which is there and empty: unpacked by us, and no more."""
    known = conninfo_to_dict(url)
    with plain(archive) as dump, psycopg.connect(url) as opened:
        is_old = opened.info.server_version < KNOWS_TRANSACTION_TIMEOUT  # it complains, of a setting that means nothing
        subprocess.run(
            [newest().pg_restore, f"--dbname={name}", *(() if is_old else ("--exit-on-error",)), "--no-owner", dump],
            env={
                "PATH": os.defpath,
                "PGHOST": str(known["host"]),
                "PGPORT": str(known["port"]),
                "PGUSER": str(known["user"]),
                "PGPASSWORD": str(known["password"]),
            },
            check=not is_old,
            timeout=60,
        )


def contents(archive: Path) -> list[str]:
    """Return the lines of an archive's list of contents."""
    with plain(archive) as dump:
        listing = subprocess.run(
            [newest().pg_restore, "--list", dump], check=True, capture_output=True, text=True, timeout=60
        )
    return [line for line in listing.stdout.splitlines() if line and not line.startswith(";")]
