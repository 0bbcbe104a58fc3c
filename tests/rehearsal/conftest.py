"""A clone for all tests of a module, played on as a role that may make databases and is no administrator."""

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.rehearsal.proof import Proof
from deployments.postgres.connect import Target
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.play import play
from deployments.postgres.rehearsal.scripts import Rehearsed, rehearsed
from tests.postgres.conftest import eventually, meanwhile
from tests.postgres.places import Stopper
from tests.rehearsal.shop import READER, SHOP
from tests.servers import SUPERUSER_URL

__all__ = ["eventually", "meanwhile"]

REHEARSER, PASSWORD = "package_rehearser", "of-tests-only"
CLONE = f"rehearsal_clone_{os.getpid()}"
PREFIX = f"rehearsal_{os.getpid()}"


@pytest.fixture(scope="session")
def rehearser(superuser) -> str:
    """Return the connection string of the role that rehearses."""
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(3)")  # the workers of pytest-xdist share the server
        for role, rights in ((REHEARSER, "LOGIN CREATEDB"), (READER, "NOLOGIN")):
            if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                superuser.execute(f"CREATE ROLE {role} {rights} PASSWORD '{PASSWORD}'")
    return make_conninfo(os.environ[SUPERUSER_URL], user=REHEARSER, password=PASSWORD, dbname="postgres")


@pytest.fixture(scope="session")
def clone(superuser, rehearser: str) -> Iterator[str]:
    """Return the name of a database that stands for the restored clone."""
    superuser.execute(f"CREATE DATABASE {CLONE} OWNER {REHEARSER}")
    with psycopg.connect(make_conninfo(rehearser, dbname=CLONE)) as opened:
        opened.execute("GRANT ALL ON SCHEMA public TO CURRENT_USER")
        opened.execute(SHOP)
    yield CLONE
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(CLONE)))


@pytest.fixture
def databases(rehearser: str, monkeypatch) -> Iterator[Databases]:
    monkeypatch.setenv("REHEARSAL_SERVER", rehearser)
    server = Target(0, "the rehearsal server", "env:REHEARSAL_SERVER")
    with Databases(server, prefix=PREFIX, name="locktender/rehearsal", stop=Stopper()) as made:
        yield made


@pytest.fixture
def rehearse(databases: Databases, clone: str) -> Callable[..., Proof]:
    """Return a function that plays (forward, rollback) or migrations with names."""

    def run(*migrations: Rehearsed | tuple[str, ...]) -> Proof:
        plan = [one if isinstance(one, Rehearsed) else pair(f"{n:03}", *one) for n, one in enumerate(migrations, 1)]
        return play(databases, clone, plan)

    return run


def pair(name: str, forward: str, rollback: str | None, verify: str | None = None) -> Rehearsed:
    return rehearsed(name, forward=forward, rollback=rollback, verify=verify)
