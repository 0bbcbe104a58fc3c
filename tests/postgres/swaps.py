"""What the tests of restore and swap share: a place with a backup of it, and executors that exchange its database."""

import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.postgres.backup.archive import DUMP, Manifest, write_manifest
from deployments.postgres.backup.measure import Limits
from deployments.postgres.backup.restore import Restored, restore_to
from deployments.postgres.backup.scratch import Purpose, Scratch
from deployments.postgres.connect import Holder
from deployments.postgres.swap.exchange import Exchanged, exchange
from deployments.postgres.swap.ledger import make_ready, prepare
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.recover import recover
from deployments.postgres.swap.server import Found, Swap
from tests.postgres.conftest import MIGRATOR, PASSWORD
from tests.postgres.dumps import dumped, newest
from tests.postgres.places import Place, Stopper

EVERYTHING = 2**40
NO_POOLER = Pooler()


def backed_up(place: Place, folder: Path, **changed: Any) -> Manifest:
    """Back a place up into a folder; return the manifest, in which single values may be `changed`."""
    folder.mkdir()
    found = dumped(place, folder / DUMP, limits=Limits(EVERYTHING))
    content = found.as_manifest() | {"scope": "database"}
    return write_manifest(folder, content | changed)


SWAPPER = "package_swapper"


@pytest.fixture(scope="session")
def swapper(superuser, package_migrator: str) -> str:
    """A role that may do what a swap takes, besides being the one that migrates."""
    role = sql.Identifier(SWAPPER)
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(2)")  # the workers of pytest-xdist share the server
        if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [SWAPPER]).fetchone():
            superuser.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, PASSWORD))
            superuser.execute(
                sql.SQL("GRANT pg_signal_backend, {} TO {}").format(sql.Identifier(package_migrator), role)
            )
    return SWAPPER


@pytest.fixture
def able(place: Place, swapper: str, monkeypatch) -> Place:
    """A place whose connection is that of a role which may swap it."""
    monkeypatch.setenv("TARGET_TO_SWAP", make_conninfo(place.url, user=swapper))
    place.target = replace(place.target, connection="env:TARGET_TO_SWAP")
    return place


@dataclass
class Bench:
    """A place, its backup, and where it is unpacked."""

    place: Place
    folder: Path
    manifest: Manifest | None = None
    lines: list[str] = field(default_factory=list)

    def swap(self, *, job: int = 7, fence: int = 5) -> Swap:
        return Swap(self.place.target, Holder(run=job, job=job, fence=fence), self.name)

    @property
    def name(self) -> str:
        return psycopg.conninfo.conninfo_to_dict(self.place.url)["dbname"]

    def take_over(self, swap: Swap, *, pooler: Pooler = NO_POOLER) -> Found:
        return recover(swap, control_plane_id=self.place.plane, pooler=pooler, log=self.lines.append)

    def building(self, swap: Swap) -> str:
        holder = swap.holder
        return str(Scratch.named(self.place.plane, Purpose.RESTORE, job=holder.job, fence=holder.fence))

    def restore(self, swap: Swap) -> Restored:
        return restore_to(
            swap.target,
            swap.holder,
            place=self.folder,
            manifest=self.manifest or pytest.fail("there is no backup"),
            name=self.building(swap),
            client=newest(),
            jobs=1,
            into=self.folder.parent / f"unpacked-{uuid.uuid4().hex}",
            stop=Stopper(),
        )

    @property
    def copied(self) -> str:
        """The name of the copy that stands for a restored database."""
        return f"{self.name}_copied"

    def copy(self) -> None:
        """Copy the database as it is now: as good as a backup that is restored, and quicker."""
        with psycopg.connect(self.elsewhere, autocommit=True) as opened:
            opened.execute(
                f'CREATE DATABASE "{self.copied}" TEMPLATE "{self.name}" OWNER {MIGRATOR} STRATEGY FILE_COPY'
            )

    @property
    def elsewhere(self) -> str:
        return make_conninfo(self.place.superuser_url, dbname="postgres")

    def build(self, swap: Swap) -> None:
        if self.manifest:
            assert self.restore(swap).compared.is_equal
            return
        with psycopg.connect(self.elsewhere, autocommit=True) as opened:
            opened.execute(f'ALTER DATABASE "{self.copied}" RENAME TO "{self.building(swap)}"')

    def ready(self, swap: Swap) -> None:
        """Make the copy, or what is restored where there is a backup, ready to be swapped in."""
        self.build(swap)
        prepare(swap, self.building(swap), control_plane_id=self.place.plane, known=list)
        make_ready(swap, self.building(swap))

    def exchange(self, swap: Swap, *, pooler: Pooler = NO_POOLER, stop: Stopper | None = None) -> Exchanged:
        return exchange(swap, pooler=pooler, stop=stop or Stopper(), log=self.lines.append)

    def whole(self, swap: Swap) -> Exchanged:
        """Do all of it, from wherever an earlier executor left it."""
        found = self.take_over(swap)
        if found.ready is None:
            self.ready(swap)
        return self.exchange(swap)

    def databases(self) -> dict[str, bool]:
        """Return the databases with names from this one's, or half made: name and whether they are open."""
        query = "SELECT datname::text, datallowconn FROM pg_database WHERE datname LIKE %s OR datname LIKE %s"
        with psycopg.connect(self.elsewhere) as opened:
            return dict(opened.execute(query, [f"{self.name}%", f"lkt_{self.place.plane.hex[:8]}%"]).fetchall())

    def clean(self) -> None:
        """Drop every database of this bench but the one that the place itself drops."""
        with psycopg.connect(self.elsewhere, autocommit=True) as opened:
            for name in self.databases():
                if name != self.name:
                    opened.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
