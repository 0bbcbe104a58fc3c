"""Opening a session with a target: direct, bounded in time, named so that a successor finds it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deployments.postgres.errors import (
    ConnectionOfPrisma,
    DatabaseMissing,
    NoConnectionLeft,
    PasswordRefused,
    PoolerBetween,
    SecretMissing,
    SecretUnusable,
    TargetStandby,
    TargetUnreachable,
    TlsFailed,
)
from deployments.postgres.line import answering_within
from deployments.postgres.prisma_connection import OfPrisma, for_libpq
from deployments.postgres.settings import be_patient

Session = psycopg.Connection[tuple[Any, ...]]
LINK_ERRORS = (psycopg.OperationalError, psycopg.InterfaceError)
"""What a broken connection raises, for callers that may not know the driver. ANSWERED is caught before."""
ANSWERED = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
"""Errors of the same kind by which a server that is there says that something took too long."""
DRIVER_ERROR = psycopg.Error
"""Whatever the driver raises, for a caller that can do without the answer."""

OPENING_SECONDS = 15.0  # for a server that let us in to answer the first questions, before its own limits are set

NAME_PREFIX = "locktender/"
READ_ONLY = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
LIMITS: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
    "client_encoding": "UTF8",  # scripts are sent as UTF-8, whatever the database or the connection prefers
}
# libpq gives no SQLSTATE for a refused connection, only its English or localised text.
REFUSALS = (
    ("password authentication failed", PasswordRefused),
    ("no password supplied", PasswordRefused),
    ("no pg_hba.conf entry", PasswordRefused),
    ("is not permitted to log in", PasswordRefused),
    ("too many clients already", NoConnectionLeft),
    ("connection slots are reserved", NoConnectionLeft),
    ("too many connections for ", NoConnectionLeft),
    ("unsupported startup parameter", PoolerBetween),  # what PgBouncer says of options
)


@dataclass(frozen=True, slots=True)
class Target:
    """Which database is meant, where the secret of its connection is, and as which role its objects are changed.

    With a `dbname` it is that database on the server which the connection leads to, instead of the one it names.
    """

    database_id: int
    name: str
    connection: str
    owner_role: str = ""
    dbname: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """The job and fence in whose name a session acts. It is in the session's name, in integers: 63 bytes are enough."""

    run: int
    job: int
    fence: int

    @property
    def session_name(self) -> str:
        """Return the application_name of the sessions of this holder."""
        return f"{NAME_PREFIX}job={self.job}/fence={self.fence}"


def read_secret(reference: str) -> str:
    """Return the connection string behind "env:NAME" or "file:/path". Raises SecretMissing, SecretUnusable."""
    kind, _, place = reference.partition(":")
    try:
        secret = os.environ[place] if kind == "env" else Path(place).read_text(encoding="utf-8")
    except (KeyError, OSError) as missing:
        raise SecretMissing(reference=reference) from missing
    except UnicodeDecodeError:
        raise SecretUnusable(reference=reference) from None
    if not secret.strip():
        raise SecretUnusable(reference=reference)  # libpq would fall back to whatever its own variables name
    return secret.strip()


def connection_string(target: Target) -> str:
    """Return the connection string of a target as libpq understands it, also where Prisma's owner wrote it.

    Raises SecretMissing, SecretUnusable, ConnectionOfPrisma, PoolerBetween.
    """
    try:
        return for_libpq(read_secret(target.connection))
    except OfPrisma as found:
        if not found.instead:
            raise PoolerBetween(target=target.name) from None
        raise ConnectionOfPrisma(reference=target.connection, option=found.option, instead=found.instead) from None


@contextmanager
def session(target: Target, *, name: str = f"{NAME_PREFIX}observer", autocommit: bool = True) -> Iterator[Session]:
    """Open a session, and close it after the block, whatever happens in it.

    Raises what `open_session` raises.
    """
    opened = open_session(target, name=name, autocommit=autocommit)
    try:
        yield opened
    finally:
        opened.close()


def open_session(target: Target, *, name: str, autocommit: bool = True) -> Session:
    """Return a session with the primary of this target, without a pooler between.

    Raises SecretMissing, SecretUnusable, ConnectionOfPrisma, TargetUnreachable, PasswordRefused, DatabaseMissing,
    TlsFailed, PoolerBetween, TargetStandby.
    """
    return open_with(connection_string(target), target, name=name, autocommit=autocommit)


def open_with(
    secret: str, target: Target, *, name: str, autocommit: bool = True, is_read_only: bool = False
) -> Session:
    """Return a session with the primary that a connection string of libpq's leads to. Raises as `open_session` does.

    `is_read_only` is one in which the server refuses writes from the first statement on. What is asked in one block of
    `transaction()` is then of one moment, and nothing that is called there can make it a writing one.
    """
    try:
        options = _read_only_options(secret) if is_read_only else {}
        options |= {"dbname": target.dbname} if target.dbname else {}
        conninfo = make_conninfo(secret, **LIMITS, **options, application_name=name)
    except psycopg.ProgrammingError:
        # The parser's own message quotes the string, password included: it is not chained.
        raise SecretUnusable(reference=target.connection) from None
    try:
        opened = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as refused:
        raise _refusal(target, str(refused)) from None
    try:
        with answering_within(OPENING_SECONDS, opened) as is_late:
            if is_read_only:
                opened.execute(READ_ONLY)  # a command: it looks nothing up in a search path
                opened.read_only, opened.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
            _require_direct_primary(target, opened)
            be_patient(opened)
        opened.autocommit = autocommit
    except psycopg.OperationalError as cut:
        opened.close()
        if is_late.is_set():
            raise TargetUnreachable(target=target.name, detail=f"no answer within {OPENING_SECONDS:.0f} s") from None
        raise _refusal(target, str(cut)) from None
    except BaseException:
        opened.close()
        raise
    return opened


def _read_only_options(secret: str) -> dict[str, str]:
    """Return what makes a session read-only before its first statement, with the options that are given already.

    Those of a service are in its file, and would be lost: there the first statement does it.
    """
    parts = conninfo_to_dict(secret)
    if "service" in parts or "PGSERVICE" in os.environ:
        return {}
    given = parts.get("options") or os.environ.get("PGOPTIONS", "")
    return {"options": f"{given} -c default_transaction_read_only=on".strip()}


def _require_direct_primary(target: Target, opened: Session) -> None:
    """A pooler invents the process id it tells the client (E19 of the reliability study).

    The functions are the server's own, whatever search path the database or the role begins with.
    """
    told = opened.info.backend_pid
    row = opened.execute("SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery()").fetchone()
    assert row is not None  # noqa: S101 # a SELECT without FROM returns one row
    if row[0] != told:
        raise PoolerBetween(target=target.name)
    if row[1]:
        raise TargetStandby(target=target.name)


def _refusal(target: Target, text: str) -> Exception:
    last = text.strip().splitlines()[-1]
    detail = last.partition("FATAL:")[2].strip() or last.rpartition("failed: ")[2].strip()
    # A password with an @ or / in it is cut into host and port: what is quoted may be a part of it.
    detail = re.sub(r"""(["'])[^"']*\1""", "…", detail)
    for sign, refusal in REFUSALS:
        if sign in text:
            return refusal(target=target.name)
    if 'database "' in text and "does not exist" in text:
        return DatabaseMissing(target=target.name)
    if 'role "' in text and "does not exist" in text:
        return PasswordRefused(target=target.name)
    if any(sign in detail for sign in ("SSL", "certificate", "TLS")):
        return TlsFailed(target=target.name, detail=detail)
    return TargetUnreachable(target=target.name, detail=detail)
