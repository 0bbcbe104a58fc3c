"""Measuring on a server: what one script locks, writes anew, scans and checks, in a transaction that is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.locks import Work
from checks.model import Name
from tests.checks.locks.outcome import MODES, Outcome, add_notices

Connection = psycopg.Connection[tuple[Any, ...]]
WAIT_ROUNDS = 5000

# Indexes are left out: a lock on one alone is no lock on its table.
_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relfilenode
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND n.nspname !~ '^(pg_|information_schema)'
"""
_LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND granted = %s"


@dataclass(frozen=True)
class Place:
    """A database with a fixture in it, and the relations it has."""

    url: str
    version: int
    relations: dict[int, str]
    kinds: dict[str, str]
    files: dict[str, int]
    rows: dict[Name, int]


def look(url: str) -> Place:
    """Return what a database holds."""
    with psycopg.connect(url) as connection:
        found = connection.execute(_RELATIONS).fetchall()
        rows = {
            Name(schema, name): counted(connection, schema, name)
            for _, schema, name, kind, _ in found
            if kind in {"r", "m", "p"}
        }
        names = {oid: str(Name(schema, name)) for oid, schema, name, *_ in found}
        return Place(
            url,
            connection.info.server_version // 10000,
            names,
            {names[oid]: kind for oid, _, _, kind, _ in found},
            {names[oid]: file for oid, *_, file in found},
            rows,
        )


def counted(connection: Connection, schema: str, name: str) -> int:
    """Return the number of rows of a table."""
    count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))).fetchone()
    return int(count[0]) if count else 0


@contextmanager
def fresh_database(superuser_url: str, name: str, script: str = "", template: str = "template1") -> Iterator[str]:
    """Make a database, run a script in it, yield its address, and drop it."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        how = sql.SQL(" STRATEGY FILE_COPY") if connection.info.server_version >= 150000 else sql.SQL("")
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)) + how
        connection.execute(made)
        url = make_conninfo(superuser_url, dbname=name)
        try:
            if script:
                with psycopg.connect(url) as inside:
                    inside.execute(script)  # type: ignore[call-overload]  # plain text
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def measure(place: Place, connection: Connection, script: str) -> Outcome:
    """Run a script in a transaction, read what it did to what was there before, and roll back."""
    notices: list[str] = []

    def handler(notice: psycopg.errors.Diagnostic) -> None:
        notices.append(notice.message_primary or "")

    outcome = Outcome()
    connection.add_notice_handler(handler)
    try:
        connection.execute("SET LOCAL client_min_messages = debug1")
        connection.execute(script)  # type: ignore[call-overload]  # plain text
        connection.execute("SET LOCAL client_min_messages = warning")
        _add_locks(outcome, place, connection.execute(_LOCKS, [connection.info.backend_pid, True]).fetchall())
        after = {oid: file for oid, _, _, _, file in connection.execute(_RELATIONS).fetchall()}
    except psycopg.Error:
        outcome.is_refused = True
        return outcome
    finally:
        connection.remove_notice_handler(handler)
        connection.rollback()
    _add_work(outcome, place, after, notices, emptied="truncate" in script.lower())
    return outcome


def _add_locks(outcome: Outcome, place: Place, locks: list[tuple[Any, ...]]) -> None:
    for oid, mode in locks:
        if (name := place.relations.get(oid)) is not None:
            words = _words(mode)
            outcome.locks[name] = max(outcome.locks.get(name, ""), words, key=MODES.index)


def _add_work(outcome: Outcome, place: Place, after: dict[int, int], notices: list[str], *, emptied: bool) -> None:
    stored = {name for name, kind in place.kinds.items() if kind in {"r", "m"}}
    anew = {
        name
        for oid, name in place.relations.items()
        if name in stored and after.get(oid, place.files[name]) != place.files[name]
    }
    add_notices(outcome, notices, stored, anew)
    if not emptied:
        outcome.work[Work.REWRITE] |= anew


def _words(mode: str) -> str:
    """Return `AccessExclusiveLock` as SQL writes it."""
    return "".join(f" {one}" if one.isupper() else one for one in mode.removesuffix("Lock")).strip().upper()


def measure_waiting(place: Place, script: str, tables: list[str]) -> dict[str, str]:
    """Return the first lock that a statement waits for, while another session works on these tables."""
    with (
        psycopg.connect(place.url) as other,
        psycopg.connect(place.url, autocommit=True) as waiting,
        psycopg.connect(place.url, autocommit=True) as watcher,
    ):
        for table in tables:
            other.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")  # type: ignore[call-overload]
        waiting.pgconn.send_query(script.encode())
        found: list[tuple[Any, ...]] = []
        for _ in range(WAIT_ROUNDS):
            found = watcher.execute(_LOCKS, [waiting.info.backend_pid, False]).fetchall()
            if found:
                break
        watcher.execute("SELECT pg_cancel_backend(%s)", [waiting.info.backend_pid])
        while waiting.pgconn.get_result() is not None:
            pass
    return {place.relations[oid]: _words(mode) for oid, mode in found if oid in place.relations}


def run_alone(place: Place, script: str) -> Outcome:
    """Run a statement that wants no transaction, and return the work that it did."""
    notices: list[str] = []
    outcome = Outcome()
    with psycopg.connect(place.url, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute("SET client_min_messages = debug1")
        try:
            connection.execute(script)  # type: ignore[call-overload]  # plain text
        except psycopg.Error:
            outcome.is_refused = True
            return outcome
        after = {oid: file for oid, _, _, _, file in connection.execute(_RELATIONS).fetchall()}
    _add_work(outcome, place, after, notices, emptied=False)
    return outcome
