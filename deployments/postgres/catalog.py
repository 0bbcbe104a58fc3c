"""Reading a target: who it is, what its layout's history says, what its schema is, how big its tables are."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from checks.model import Schema
from checks.schema import Hashes, Snapshot
from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import PrivilegeMissing, ServerTooOld, TargetLocked
from deployments.postgres.history import Applied, LayoutHistory
from deployments.postgres.ledger import Identity, identity
from deployments.postgres.schema_model import read_schema
from deployments.postgres.snapshots import OWN, read_snapshot

OLDEST_SERVER = 140000  # server_version_num

# As the server last counted them: to measure would wait for every lock on every table.
SIZES = f"""
SELECT namespace.nspname || '.' || relation.relname,
  (relation.relpages::bigint + coalesce(long_values.relpages, 0)) * current_setting('block_size')::bigint,
  relation.reltuples::bigint
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_class long_values ON long_values.oid = relation.reltoastrelid
WHERE relation.relkind IN ('r', 'm') AND {OWN}
"""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read from a target at one moment."""

    identity: Identity
    server_version: int
    connections: int  # max_connections
    history: list[Applied]
    snapshot: Snapshot
    sizes: dict[str, dict[str, int | None]]  # rows_estimated is None where nothing was ever counted
    model: Schema  # the schema with sizes and traffic, as judgements need it

    @property
    def schema(self) -> Hashes:
        """Object -> SHA-256 of its record."""
        return self.snapshot.hashes


def observe(opened: Session, target: Target, history: LayoutHistory) -> Observed:
    """Read a target in one snapshot, without writing. Needs no more than a role that may connect.

    Raises ServerTooOld, TargetLocked where an object stays locked, and PrivilegeMissing where the role may not read.
    """
    try:
        return _observe(opened, target, history)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as locked:
        raise TargetLocked(target=target.name) from locked


def _observe(opened: Session, target: Target, history: LayoutHistory) -> Observed:
    if opened.info.server_version < OLDEST_SERVER:
        raise ServerTooOld(target=target.name, version=opened.info.server_version)
    with opened.transaction():
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            who = identity(opened)
        except psycopg.errors.InsufficientPrivilege as refused:
            role = sql.Identifier(opened.info.user).as_string(opened)
            remedy = f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {role}"
            raise PrivilegeMissing(
                target=target.name, what="read the identity of the server", remedy=remedy
            ) from refused
        found = read_snapshot(opened)
        return Observed(
            identity=who,
            server_version=opened.info.server_version,
            connections=int(_value(opened, "SHOW max_connections")),
            history=history.applied(opened, target),
            snapshot=found,
            sizes={
                name: {"bytes": size, "rows_estimated": rows if rows >= 0 else None}
                for name, size, rows in opened.execute(SIZES).fetchall()
            },
            model=read_schema(opened, as_role=target.owner_role),
        )


def snapshot(opened: Session) -> dict[str, str]:
    """Return the hash of every object of the schema. Called as `read_snapshot` is."""
    return dict(read_snapshot(opened).hashes)


def _value(opened: Session, query: str) -> Any:
    row = opened.execute(query).fetchone()
    assert row is not None  # noqa: S101 # SHOW returns one row
    return row[0]
