"""One server for each version of PostgreSQL that this machine has: that of the test run, and others, started here."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from controlplane.embedded.postgres import PostgresServer
from tests.servers import SUPERUSER_URL, binaries_of, place

_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "logical"}


@contextmanager
def server_of(version: int) -> Iterator[str]:
    """Yield the superuser's address of a server of this version. Skips the test where the machine has none."""
    url = os.environ[SUPERUSER_URL]
    with psycopg.connect(url) as connection:
        if connection.info.server_version // 10000 == version:
            yield url
            return
    if (binaries := binaries_of(version)) is None:
        pytest.skip(f"this machine has no PostgreSQL {version}")
    folder = place() / f"locks-{uuid.uuid4().hex}"
    try:
        with PostgresServer(folder, settings=_SETTINGS, binaries=binaries, durable=False) as server:
            yield server.superuser_url()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
