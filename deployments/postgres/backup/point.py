"""A point in the write-ahead log to which a physical backup can be brought, made by us where the role may."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from deployments.postgres.backup.exported import MOMENT
from deployments.postgres.connect import Session
from deployments.postgres.ledger import Identity, identity

MAY = "SELECT has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')"
MAKE = "SELECT pg_catalog.pg_create_restore_point(%s)::text"


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a server, by its own clock, with everything that was committed by then."""

    identity: Identity
    server_version: int
    at: datetime
    lsn: str  # of the named point, or, where there is none, of the moment
    name: str  # "" if none was made
    why_not: str  # in the server's words, "" if one was made


def make_point(opened: Session, name: str) -> Point:
    """Note the moment, and give it a name in the log. Raises psycopg.Error if not even the moment can be read."""
    row = opened.execute(MOMENT).fetchone()
    assert row is not None  # noqa: S101 # functions return one row
    at, lsn = row
    why_not = ""
    try:
        if opened.execute(MAY).fetchone() != (True,):
            why_not = "the role may not execute pg_create_restore_point"
        elif made := opened.execute(MAKE, [name]).fetchone():
            lsn = made[0]
    except psycopg.errors.DatabaseError as refused:
        if opened.broken or opened.closed:
            raise
        why_not = refused.diag.message_primary or type(refused).__name__
    return Point(identity(opened), opened.info.server_version, at, lsn, "" if why_not else name, why_not)
