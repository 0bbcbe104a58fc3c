"""What a backup notes of the moment of its snapshot, so that it can be told later what was written since."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import psycopg

from deployments.postgres.connect import Session

MOMENT = """
SELECT pg_catalog.pg_current_snapshot()::text,
       (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
       (SELECT extract(epoch FROM stats_reset)::bigint FROM pg_catalog.pg_stat_database
        WHERE datname = pg_catalog.current_database()),
       extract(epoch FROM pg_catalog.pg_postmaster_start_time())::bigint
"""
# Partitions and other tables that hold rows of their own; the numbers count what was rolled back too (E26).
COUNTERS = """
SELECT format('"%s"."%s"', replace(schemaname, '"', '""'), replace(relname, '"', '""')),
       ARRAY[n_tup_ins, n_tup_upd, n_tup_del]
FROM pg_catalog.pg_stat_user_tables
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which transactions the snapshot shows the work, and how high the server's own counters stood.

    Counters begin at zero after a crash and after a reset: those of two moments belong together only if neither the
    server's start nor the time of the last reset is another one.
    """

    xids: str  # as pg_current_snapshot() writes it
    database_oid: int
    stats_reset: int | None  # seconds since 1970
    started: int
    counters: dict[str, list[int]]  # by the table's name as SQL: inserted, updated, deleted

    def as_manifest(self) -> dict[str, Any]:
        """Return it as what the manifest says."""
        return asdict(self)

    @classmethod
    def of_manifest(cls, told: Any) -> "Origin | None":
        """Return what a manifest says, None where it says nothing that can be used."""
        try:
            return cls(**{one.name: told[one.name] for one in fields(cls)})
        except (KeyError, TypeError):
            return None


def read_origin(opened: Session) -> Origin:
    """Return it for the snapshot of the transaction that is open in a session.

    Counters that may not be read are left out: nothing of a backup waits for them.
    """
    row = opened.execute(MOMENT).fetchone()
    assert row is not None  # noqa: S101 # functions return one row
    try:
        with opened.transaction():
            counters: dict[str, list[int]] = dict(opened.execute(COUNTERS).fetchall())
    except psycopg.errors.InsufficientPrivilege:
        counters = {}
    return Origin(row[0], row[1], row[2], row[3], counters)
