"""The rewards application with Prisma's folders, and Prisma itself on the same targets."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import psycopg
import pytest

from deployments.models import Application, Database
from tests.engine.conftest import Rewards, migrator, rewards
from tests.prisma.cli import Project, Told, installed

__all__ = ["migrator", "rewards"]

GATE = 4711
# Called by a script, it waits while a test holds the gate. A function, because Prisma's engine cuts a DO into pieces.
WAIT_AT_THE_GATE = f"""
CREATE SCHEMA gate;
CREATE FUNCTION gate.wait() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    WHILE NOT pg_try_advisory_xact_lock({GATE}) LOOP PERFORM pg_sleep(0.02); END LOOP;
END $$
"""


@dataclass
class Shop(Rewards):
    """Rewards, whose migrations are those of a Prisma project. Its source is the root of the project."""

    project: Project | None = None

    def write(self, name: str, forward: str, rollback: str | None = "SELECT 1") -> None:
        self.project.write(name, forward, rollback)

    def conninfo(self, database: Database | None = None) -> str:
        return os.environ[(database or self.staging).connection.removeprefix("env:")]

    def prisma(self, *command: str, database: Database | None = None) -> Told:
        """Run `prisma migrate …` on staging, unless told."""
        return self.project.migrate(*command, conninfo=self.conninfo(database))

    def rows(self, database: Database | None = None) -> list[dict]:
        with self.connect(database, row_factory=psycopg.rows.dict_row) as opened:
            return opened.execute("SELECT * FROM _prisma_migrations ORDER BY started_at").fetchall()

    def applied(self, database: Database | None = None) -> list[str]:
        """What an observation of Locktender's calls applied."""
        return [entry["name"] for entry in self.observe(database or self.staging).history]

    @contextmanager
    def closed_gate(self) -> Iterator[psycopg.Connection]:
        """Hold every script that calls gate.wait() until the block ends or the session unlocks."""
        with self.connect() as keeper:
            keeper.execute(WAIT_AT_THE_GATE)
            keeper.execute("SELECT pg_advisory_lock(%s)", [GATE])
            yield keeper

    def is_at_the_gate(self, keeper: psycopg.Connection) -> bool:
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%gate.wait%%' AND state = 'active'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        return keeper.execute(query).fetchone() is not None


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where the CLI is installed."""
    return installed()


@pytest.fixture
def shop(packages: Path, rewards: Rewards, tmp_path: Path) -> Shop:
    project = Project.made(tmp_path / "project", packages)
    Application.objects.update(layout="prisma", source=f"folder:{project.folder}")
    known = {one.name: getattr(rewards, one.name) for one in fields(Rewards)}
    staging = Database.objects.get(pk=rewards.staging.pk)  # as it is now: its application has another source
    return Shop(**known | {"staging": staging}, project=project)
