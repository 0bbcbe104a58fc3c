"""Prisma's history: the table `_prisma_migrations`, read and written as Prisma does it."""

from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from deployments.postgres.advisory import holder_of
from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import LayoutUnfinished, PrivilegeMissing
from deployments.postgres.history.base import Applied
from deployments.postgres.ledger import FORWARD, Entry
from deployments.postgres.privileges import become_owner, require_owner_role
from deployments.postgres.stopped import LayoutLockHeld

LOCK = 72707369  # Prisma holds it while it applies, and waits ten seconds for it
# Word for word Prisma's, without a schema: the table belongs where the search path leads.
TABLE = """
CREATE TABLE _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)
"""
ROWS = """
SELECT migration_name, checksum, finished_at IS NOT NULL FROM _prisma_migrations
WHERE rolled_back_at IS NULL ORDER BY started_at, finished_at, migration_name
"""
# now() is when the transaction of the script began.
INSERT = """
INSERT INTO _prisma_migrations
    (id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count)
VALUES (%s, %s, clock_timestamp(), %s, NULL, NULL, now(), 1)
"""
# Also an older row that was marked as rolled back: with one left, `migrate status` calls the database up to date.
DELETE = """
WITH gone AS (DELETE FROM _prisma_migrations WHERE migration_name = %s RETURNING *)
SELECT jsonb_agg(to_jsonb(gone) ORDER BY started_at) FROM gone
"""


class PrismaHistory:
    """What Prisma's rows say: finished and not rolled back is applied, whoever wrote the row.

    The table is found along the search path of the connection, as the role that owns the objects.
    """

    advisory_lock: int | None = LOCK
    table: str = "_prisma_migrations"

    def applied(self, opened: Session, target: Target) -> list[Applied]:
        """Return the finished migrations in the order they were started; empty where Prisma was never used.

        Raises LayoutUnfinished where Prisma would refuse to go on (its P3009), LayoutLockHeld where it is at work, and
        PrivilegeMissing.
        """
        require_owner_role(opened, target)
        become_owner(opened, target)
        try:
            rows = opened.execute(ROWS).fetchall() if _is_there(opened) else []
        except psycopg.errors.InsufficientPrivilege as refused:
            raise _may_not_read(opened, target) from refused
        opened.execute("RESET ROLE")
        if unfinished := [name for name, _, is_finished in rows if not is_finished]:
            if holder := holder_of(opened, LOCK):
                raise LayoutLockHeld(target=target.name, holder=holder)
            raise LayoutUnfinished(target=target.name, names=unfinished)
        newest = {name: checksum for name, checksum, _ in rows}
        return [Applied(name, checksum) for name, checksum in newest.items()]

    def is_applied(self, opened: Session, target: Target, migration: str) -> bool:
        """Return whether Prisma would leave this migration out. Raises what `applied` raises."""
        return any(one.name == migration for one in self.applied(opened, target))

    def record(self, opened: Session, target: Target, entry: Entry) -> list[dict[str, Any]] | None:
        """Write the row of an applied migration, or take its rows out and return a copy of them."""
        opened.execute("RESET search_path")  # the script may have changed it
        become_owner(opened, target)
        if entry.direction == FORWARD:
            if not _is_there(opened):
                opened.execute(TABLE)
            opened.execute(INSERT, [str(uuid4()), entry.checksum, entry.migration])
            gone = None
        else:
            row = opened.execute(DELETE, [entry.migration]).fetchone() if _is_there(opened) else None
            gone = row[0] if row else None
        opened.execute("RESET ROLE")
        return gone


def _is_there(opened: Session) -> bool:
    return opened.execute("SELECT pg_catalog.to_regclass('_prisma_migrations')").fetchone() != (None,)


def _may_not_read(opened: Session, target: Target) -> PrivilegeMissing:
    role = sql.Identifier(target.owner_role or opened.info.user).as_string(opened)
    remedy = f"GRANT SELECT, INSERT, DELETE ON _prisma_migrations TO {role}"
    return PrivilegeMissing(target=target.name, what="read Prisma's history", remedy=remedy)
