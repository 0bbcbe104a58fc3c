"""A target of a test's own on the test server, and threads for what happens at the same time."""

import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.postgres.connect import Target
from deployments.postgres.ledger import install, installation_sql
from tests.postgres.places import Place
from tests.servers import SUPERUSER_URL

MIGRATOR, PASSWORD = "package_migrator", "of-tests-only"
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def package_migrator(superuser) -> str:
    """The role that migrates the targets of these tests."""
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(2)")  # the workers of pytest-xdist share the server
        if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [MIGRATOR]).fetchone():
            superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(MIGRATOR), PASSWORD))
    return MIGRATOR


@pytest.fixture
def empty_place(superuser, package_migrator: str, monkeypatch) -> Iterator[Place]:
    """A database of the migrator's without Locktender's schema."""
    number = next(numbers)
    name = f"target_{os.getpid()}_{number}"
    superuser.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(package_migrator)
        )
    )
    administrator = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    url = make_conninfo(administrator, user=package_migrator, password=PASSWORD)
    monkeypatch.setenv(f"TARGET_{number}", url)
    place = Place(
        target=Target(database_id=number, name="shop/staging/main", connection=f"env:TARGET_{number}"),
        url=url,
        plane=uuid.uuid4(),
        superuser_url=administrator,
    )
    yield place
    for session in place.opened:
        session.close()
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def place(empty_place: Place) -> Place:
    """A target as it is after an administrator has run the SQL that Locktender prints."""
    place = empty_place
    install(place.target, installation_sql(control_plane_id=place.plane, database_id=place.target.database_id))
    return place


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., Future]]:
    """Return a function that does something in a thread of its own."""
    with ThreadPoolExecutor(8) as threads:
        yield threads.submit


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Return a function that waits until something is so, and fails after twenty seconds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.01)

    return wait
