"""Loyalty's database on the test server: founded once, cloned for each test."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from demo.data import found
from demo.releases import RELEASES, Release
from tests.servers import SUPERUSER_URL

OWNER, APPLICATION, PASSWORD = "loyalty_owner", "loyalty_app", "of-tests-only"
LEDGER_ROWS = 2000
numbers = itertools.count(1)


@dataclass
class Customer:
    """A database of Loyalty's."""

    name: str
    opened: list[psycopg.Connection] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The superuser's."""
        return make_conninfo(os.environ[SUPERUSER_URL], dbname=self.name)

    @property
    def owner_url(self) -> str:
        return make_conninfo(self.url, user=OWNER, password=PASSWORD)

    @property
    def application_url(self) -> str:
        return make_conninfo(self.url, user=APPLICATION, password=PASSWORD)

    def connect(self, **given) -> psycopg.Connection:
        """Open a session of the superuser's, closed with the test."""
        self.opened.append(psycopg.connect(self.url, autocommit=True, **given))
        return self.opened[-1]

    def close(self) -> None:
        """Close the sessions of the test."""
        for session in self.opened:
            session.close()

    def as_owner(self) -> psycopg.Connection:
        session = self.connect()
        session.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
        return session

    def run(self, release: Release, *, back: bool = False) -> None:
        """Apply a release as its owner, or take it back, latest migration first."""
        session = self.as_owner()
        for folder in release.migrations()[:: -1 if back else 1]:
            session.execute((folder / ("rollback.sql" if back else "migration.sql")).read_bytes())

    def up_to(self, release: Release) -> None:
        """Apply every release after today's that comes before this one."""
        for earlier in RELEASES[1 : RELEASES.index(release)]:
            self.run(earlier)


@pytest.fixture(scope="session")
def roles(superuser) -> None:
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(3)")  # the workers of pytest-xdist share the server
        for role in (OWNER, APPLICATION):
            if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), PASSWORD))


@contextmanager
def making(superuser) -> Iterator[Callable[..., Customer]]:
    """Yield a function that makes a database of the owner's, empty or a copy of another; all are gone afterwards."""
    made = []

    def make(like: str = "template1", *, name: str = "") -> Customer:
        customer = Customer(name or f"loyalty_{os.getpid()}_{next(numbers)}")
        superuser.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(
                *map(sql.Identifier, (customer.name, like, OWNER))
            )
        )
        made.append(customer)
        return customer

    try:
        yield make
    finally:
        for customer in made:
            customer.close()
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(customer.name)))


@pytest.fixture
def make_customer(superuser, roles) -> Iterator[Callable[..., Customer]]:
    with making(superuser) as make:
        yield make


@pytest.fixture(scope="session")
def founded(superuser, roles) -> Iterator[str]:
    """The name of a database as `found` leaves it. Nobody works in it: it is cloned."""
    with making(superuser) as make:
        customer = make()
        found(customer.as_owner(), ledger_rows=LEDGER_ROWS)
        customer.close()
        yield customer.name


@pytest.fixture
def customer(make_customer, founded) -> Customer:
    """A database as `found` leaves it."""
    return make_customer(founded)
