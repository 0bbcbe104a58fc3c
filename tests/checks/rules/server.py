"""One database for the examples of all rules: what they make is removed after each, what they lock is measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.context import NEWEST_VERSION, OLDEST_VERSION
from checks.locks import Mode
from checks.statements import parse
from tests.servers import SUPERUSER_URL

# An index counts as its table.
RELATIONS = """
    SELECT coalesce(i.indexrelid, c.oid),
           CASE nspname WHEN 'public' THEN '' ELSE quote_ident(nspname) || '.' END || quote_ident(relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         LEFT JOIN (SELECT indrelid, indexrelid FROM pg_index UNION ALL SELECT oid, NULL FROM pg_class) i
         ON i.indrelid = c.oid
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
"""
HELD = "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted"
# What the examples of a rule leave behind. They make no role that stays: other tests run on the same server.
LEFT = """
    SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
    UNION ALL SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension WHERE extname <> 'plpgsql'
    UNION ALL SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger
    UNION ALL SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    UNION ALL SELECT 'CREATE SCHEMA public'
"""
SHAPE = """
    SELECT c.oid::regclass::text, 'column', attname, format_type(atttypid, atttypmod)
           || CASE WHEN attnotnull THEN ' not null' ELSE '' END || CASE WHEN atthasdef THEN ' default' ELSE '' END
           || attidentity::text || attgenerated::text
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT conrelid::regclass::text, 'constraint', '', pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
    ORDER BY 1, 2, 3, 4
"""


class Server:
    """A database in which examples run, on a server of the major version `version`."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.connection = connection
        self.version = min(max(connection.info.server_version // 10_000, OLDEST_VERSION), NEWEST_VERSION)

    @contextmanager
    def having(self, given: str) -> Iterator[None]:
        """Run what an example is given while the block does; then remove that, and all that came after it."""
        try:
            self.run(given)
            yield
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove everything that examples made."""
        self.connection.execute("RESET ALL")
        for (command,) in self.connection.execute(LEFT).fetchall():
            self.connection.execute(str(command).encode())

    def run(self, text: str) -> None:
        """Run one file as it would be deployed: in one transaction, or statement by statement if it refuses one."""
        script = parse(text)
        if any(one.outside_transaction for one in script.statements):
            for one in script.statements:
                self.connection.execute(one.sql.encode())
        elif script.statements:
            with self.connection.transaction():
                self.connection.execute(text.encode())

    def measured(self, text: str) -> list[dict[str, Mode]]:
        """Return the strongest lock that each statement of a file holds on each relation that was there before.

        The file runs in one transaction that is rolled back. Locks are held to its end, so those of a statement
        include those of the statements before.
        """
        before = dict(self.connection.execute(RELATIONS).fetchall())
        seen: list[dict[str, Mode]] = []
        with self.connection.transaction(force_rollback=True):
            for one in parse(text).statements:
                self.connection.execute(one.sql.encode())
                held: dict[str, Mode] = {}
                for relation, words in self.connection.execute(HELD):
                    if relation in before:
                        name, mode = before[relation], MODES[words]
                        held[name] = max(mode, held.get(name, mode))
                seen.append(held)
        return seen

    def shape(self) -> list[tuple[object, ...]]:
        """Return the columns and constraints of all tables in public, without the constraints' names."""
        return self.connection.execute(SHAPE).fetchall()


MODES = {"".join(word.title() for word in mode.words.split()) + "Lock": mode for mode in Mode}


@pytest.fixture(scope="module")
def server(superuser: psycopg.Connection[tuple[object, ...]]) -> Iterator[Server]:
    """A database of its own for the examples of one test file."""
    name = f"examples_{os.getpid()}"
    superuser.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    with psycopg.connect(make_conninfo(os.environ[SUPERUSER_URL], dbname=name), autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        yield Server(connection)
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
