"""The cast, in a database of the test's own."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from tests.deployments.cast import Cast, assemble
from tests.servers import SUPERUSER_URL


@pytest.fixture
def cast(database: str) -> Cast:
    """Everybody, and the application they work on."""
    return assemble()


@pytest.fixture
def superuser_here(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A superuser's connection to this test's control database: what a rogue administrator has."""
    url = os.environ[SUPERUSER_URL]
    with psycopg.connect(url, dbname=database, autocommit=True) as connection:
        yield connection
