"""Every test that asks for `database` gets its own control database, cloned from a migrated template in milliseconds.

Not pytest-django's way, because the audit log refuses the TRUNCATE that its flush would need.
"""

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections
from hypothesis import settings as hypothesis
from psycopg import sql

from tests.servers import SUPERUSER_URL

# How long an example takes depends on what else the machine does.
hypothesis.register_profile("patient", deadline=None)
hypothesis.load_profile("patient")

TEMPLATE = connections["default"].settings_dict["NAME"]
# Where Django's connections lead between tests: a late request of a page that is still open must not reach the
# template, which cannot be copied while anybody is connected to it.
NOWHERE = "outside_of_a_test"

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def superuser() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection that may create databases on the test server."""
    with psycopg.connect(os.environ[SUPERUSER_URL], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Create nothing: `database` does."""


@pytest.fixture
def database(
    superuser: psycopg.Connection[tuple[object, ...]], django_db_blocker: pytest.FixtureRequest
) -> Iterator[str]:
    """Yield the name of a control database of this test's own; Django's connections lead there."""
    name = f"test_{os.getpid()}_{next(numbers)}"
    superuser.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER locktender_owner STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(TEMPLATE)
        )
    )
    for connection in connections.all():
        connection.settings_dict["NAME"] = name
    with django_db_blocker.unblock():
        yield name
    for connection in connections.all():
        connection.close()
        connection.settings_dict["NAME"] = NOWHERE
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
