"""A primary of a test's own with a standby, where an autovacuum begins within a second: for what guards look at."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from controlplane.embedded import PostgresServer

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "autovacuum_naptime": "1s",
    "wal_receiver_status_interval": "1s",
    "max_connections": "40",
    "max_prepared_transactions": "2",
}
SLOT = "standby"


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Start a primary, and a standby that streams from it by a slot."""
    with PostgresServer(folder / "primary", durable=False, settings=SETTINGS) as primary:
        with psycopg.connect(primary.superuser_url(), autocommit=True) as opened:
            opened.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])
        copy(primary, folder / "standby")
        with PostgresServer(folder / "standby", durable=False, settings=SETTINGS) as standby:
            yield primary, standby


def copy(primary: PostgresServer, folder: Path) -> None:
    """Make a standby's folder of a primary's."""
    data = primary.data.name
    shutil.copytree(primary.folder, folder, ignore=lambda _, names: [name for name in names if name == data])
    known = conninfo_to_dict(primary.superuser_url())
    subprocess.run(
        [primary.binaries.program("pg_basebackup"), f"--pgdata={folder / data}", "--write-recovery-conf",
         f"--slot={SLOT}", "--checkpoint=fast", "--no-sync"],
        env={"PATH": os.defpath, "PGHOST": str(known["host"]), "PGPORT": str(known["port"]),
             "PGUSER": str(known["user"]), "PGPASSWORD": str(known["password"])},
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
