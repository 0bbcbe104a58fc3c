"""The schema `locktender` in a target: whose it is, its fence, and the history that decides what was committed."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from deployments.postgres.batches.ledger import TABLE as BATCH_TABLE
from deployments.postgres.connect import Holder, Session, Target, session
from deployments.postgres.errors import (
    CopiedDatabase,
    FenceAhead,
    FenceLost,
    OtherControlPlane,
    PrivilegeMissing,
    SchemaAlreadyThere,
    SchemaNotCreated,
    TargetSchemaMissing,
)

FORWARD, ROLLBACK = "forward", "rollback"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database of which server this is."""

    system_identifier: str
    database_name: str

    def __str__(self) -> str:
        return f"{self.database_name} of system {self.system_identifier}"


def installation_sql(*, control_plane_id: UUID, database_id: int) -> str:
    """Return the SQL that creates the schema in a target, marked as this database of this control plane.

    The role that runs it owns the schema: it must be the role that migrates.
    """
    return f"""\
BEGIN;
CREATE SCHEMA locktender;
CREATE TABLE locktender.meta (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    control_plane_id uuid NOT NULL,
    database_id bigint NOT NULL,
    system_identifier text NOT NULL,
    database_name text NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE locktender.fence (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    fence bigint NOT NULL
);
CREATE TABLE locktender.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL,
    job bigint NOT NULL,
    fence bigint NOT NULL,
    migration text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('forward', 'rollback')),
    checksum text NOT NULL,
    script_sha256 text NOT NULL,
    statements integer NOT NULL,
    layout_row jsonb,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (job, migration, direction)
);
CREATE TABLE locktender.statement (
    job bigint NOT NULL,
    migration text NOT NULL,
    direction text NOT NULL,
    position integer NOT NULL,
    fence bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('intent', 'done')),
    sql text NOT NULL,
    post_condition text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job, migration, direction, position)
);
{BATCH_TABLE}INSERT INTO locktender.fence (fence) VALUES (0);
INSERT INTO locktender.meta (control_plane_id, database_id, system_identifier, database_name)
    SELECT '{control_plane_id}', {database_id}, system_identifier::text, current_database() FROM pg_control_system();
COMMIT;
"""


def identity(opened: Session) -> Identity:
    """Return which database of which server a session leads to."""
    row = opened.execute("SELECT system_identifier::text, current_database()::text FROM pg_control_system()").fetchone()
    assert row is not None  # noqa: S101 # one control file
    return Identity(*row)


def require_ours(opened: Session, target: Target, *, control_plane_id: UUID) -> Identity:
    """Return the identity of a target that carries our mark.

    Raises TargetSchemaMissing with the SQL to run, OtherControlPlane, or CopiedDatabase when the mark belongs to
    another database: staging restored from production is recognised, never trusted.
    """
    found = identity(opened)
    mark = mark_of(opened, target)
    if mark is None:
        wanted = installation_sql(control_plane_id=control_plane_id, database_id=target.database_id)
        raise TargetSchemaMissing(target=target.name, sql=wanted)
    marked = Identity(mark[2], mark[3])
    if marked != found:
        raise CopiedDatabase(target=target.name, marked=str(marked), found=str(found))
    if mark[0] != control_plane_id:
        raise OtherControlPlane(target=target.name)
    if mark[1] != target.database_id:
        raise CopiedDatabase(
            target=target.name, marked=f"database {mark[1]} here", found=f"database {target.database_id}"
        )
    return found


def mark_of(opened: Session, target: Target) -> tuple[UUID, int, str, str] | None:
    """Return control plane, database, system and name as the target remembers them, or None where it does not."""
    try:
        with opened.transaction():
            return opened.execute(
                "SELECT control_plane_id, database_id, system_identifier, database_name FROM locktender.meta"
            ).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    except psycopg.errors.InsufficientPrivilege as refused:
        role = sql.Identifier(opened.info.user).as_string(opened)
        remedy = f"ALTER SCHEMA locktender OWNER TO {role}; and ALTER TABLE locktender.… OWNER TO {role} for its tables"
        raise PrivilegeMissing(target=target.name, what="use the schema locktender", remedy=remedy) from refused


def raise_fence(opened: Session, target: Target, holder: Holder) -> None:
    """Raise the target's fence to the holder's, or refuse. Inside a transaction it is held until the commit.

    Raises FenceLost if a successor was here, FenceAhead if the fence is higher than any this control plane gave out;
    psycopg's LockNotAvailable if the fence is held.
    """
    raised = opened.execute(
        "UPDATE locktender.fence SET fence = %(fence)s WHERE fence <= %(fence)s", {"fence": holder.fence}
    )
    if raised.rowcount != 1:
        raise FenceLost(target=target.name, fence=holder.fence)


def require_fence_not_ahead(opened: Session, target: Target, holder: Holder) -> None:
    """Raise FenceAhead if the target has seen a fence above the holder's, which claimed after everybody else."""
    row = opened.execute("SELECT fence FROM locktender.fence").fetchone()
    if row is not None and row[0] > holder.fence:
        raise FenceAhead(target=target.name, knows=f"has seen fence {row[0]}, but this run holds {holder.fence}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written about one migration that was run: it decides whether the attempt was committed."""

    migration: str
    direction: str
    checksum: str
    script_sha256: str
    statements: int


def write_entry(opened: Session, entry: Entry, holder: Holder, layout_row: list[dict[str, Any]] | None) -> None:
    """Write the history row of one migration, in the transaction that ran it.

    `layout_row` is a copy of what was taken out of the layout's own history.
    """
    opened.execute(
        "INSERT INTO locktender.history"
        " (run, job, fence, migration, direction, checksum, script_sha256, statements, layout_row)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            holder.run,
            holder.job,
            holder.fence,
            entry.migration,
            entry.direction,
            entry.checksum,
            entry.script_sha256,
            entry.statements,
            None if layout_row is None else Jsonb(layout_row),
        ],
    )


def has_entry(opened: Session, *, job: int, migration: str, direction: str) -> bool:
    """Return whether this job committed this migration in this direction: the only answer that counts."""
    row = opened.execute(
        "SELECT 1 FROM locktender.history WHERE job = %s AND migration = %s AND direction = %s",
        [job, migration, direction],
    ).fetchone()
    return row is not None


def entries_of_job(opened: Session, job: int) -> list[tuple[str, str]]:
    """Return what this job committed, in order: (migration, direction)."""
    rows = opened.execute("SELECT migration, direction FROM locktender.history WHERE job = %s ORDER BY id", [job])
    return [(row[0], row[1]) for row in rows.fetchall()]


def has_begun(opened: Session, job: int) -> bool:
    """Return whether this job has changed something, or was about to: a file, or one statement outside of one."""
    row = opened.execute(
        "SELECT EXISTS (SELECT FROM locktender.history WHERE job = %(job)s)"
        " OR EXISTS (SELECT FROM locktender.statement WHERE job = %(job)s)",
        {"job": job},
    ).fetchone()
    return bool(row and row[0])


def install(target: Target, sql_text: str) -> None:
    """Run the installation SQL in a target with its own connection. Raises SchemaAlreadyThere, SchemaNotCreated."""
    with session(target) as opened:
        if opened.execute("SELECT to_regclass('locktender.meta')").fetchone() != (None,):
            raise SchemaAlreadyThere(target=target.name)
        try:
            opened.execute(sql_text.encode())
        except psycopg.Error as refused:
            reason = refused.diag.message_primary or type(refused).__name__
            raise SchemaNotCreated(target=target.name, reason=reason) from refused
