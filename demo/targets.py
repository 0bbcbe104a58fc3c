"""The databases of the demo's customer, on the demo's own server, and the roles that use them."""

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from controlplane.embedded.passwords import kept_password
from controlplane.embedded.postgres import PostgresServer
from demo.data import found
from demo.releases import Release

OWNER, MIGRATOR, APP = "loyalty_owner", "loyalty_migrator", "loyalty_app"


@dataclass(frozen=True, slots=True)
class Place:
    """A database of the customer. `variable` names where Locktender finds its connection string."""

    environment: str
    database: str
    variable: str
    ledger_rows: int


STAGING = Place("staging", "loyalty_staging", "LOYALTY_STAGING", 100_000)
PRODUCTION = Place("production", "loyalty_production", "LOYALTY_PRODUCTION", 500_000)
PLACES = (STAGING, PRODUCTION)
COPY = Place("copy", "loyalty_copy", "", PRODUCTION.ledger_rows)
"""Of production, for what is not to be done there. Locktender does not know it."""


class Targets:
    """The customer's databases on a server that was started for the demo."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        """Prepare; nothing is made. Passwords are kept in `folder`."""
        self._server = server
        self._folder = folder

    def make(self) -> None:
        """Make roles and databases: an owner who cannot sign in, a migrator who may act as it, and the application."""
        with psycopg.connect(self._server.superuser_url(), autocommit=True) as opened:
            opened.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(OWNER)))
        for role in (MIGRATOR, APP):
            self._server.ensure_role(role, password=self._password(role))
        migrator = sql.Identifier(MIGRATOR)
        with psycopg.connect(self._server.superuser_url(), autocommit=True) as opened:
            opened.execute(sql.SQL("GRANT {}, pg_signal_backend TO {}").format(sql.Identifier(OWNER), migrator))
            opened.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(migrator))  # a restore makes a database
        for place in PLACES:
            self._server.ensure_database(place.database, owner=OWNER)
            self._let_in(place)

    def copy(self) -> None:
        """Copy production while nobody uses it."""
        names = (sql.Identifier(COPY.database), sql.Identifier(PRODUCTION.database), sql.Identifier(OWNER))
        with psycopg.connect(self._server.superuser_url(), autocommit=True) as opened:
            opened.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(*names))
        self._let_in(COPY)

    def drop_copy(self) -> None:
        """Remove the copy, whoever uses it."""
        with psycopg.connect(self._server.superuser_url(), autocommit=True) as opened:
            opened.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(COPY.database)))

    def run_plainly(self, release: Release) -> None:
        """Send a release's migrations to the copy as any tool does: without a limit, and without a guard."""
        with psycopg.connect(self.connection(COPY, MIGRATOR), autocommit=True) as opened:
            opened.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
            for migration in release.migrations():
                opened.execute((migration / "migration.sql").read_bytes())

    def names(self) -> set[str]:
        """Return the names of all databases on the server."""
        with psycopg.connect(self._server.superuser_url()) as opened:
            return {name for (name,) in opened.execute("SELECT datname::text FROM pg_database")}

    def _let_in(self, place: Place) -> None:
        with psycopg.connect(self._server.superuser_url(place.database)) as opened:
            name = sql.Identifier(place.database)
            for role in (MIGRATOR, APP):
                opened.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(role)))
            opened.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(name, sql.Identifier(MIGRATOR)))
            opened.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(APP)))

    def fill(self, place: Place) -> None:
        """Bring a database to where the customer is today: schema, history and data."""
        with psycopg.connect(self.connection(place, MIGRATOR)) as opened:
            opened.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER)))
            opened.commit()
            found(opened, ledger_rows=place.ledger_rows)

    def connection(self, place: Place, role: str) -> str:
        """Return a connection string, password included: for the environment of a process."""
        return self._server.url(place.database, role=role, password=self._password(role))

    def environment(self) -> dict[str, str]:
        """Return the variables that Locktender's references name."""
        return {place.variable: self.connection(place, MIGRATOR) for place in PLACES}

    def _password(self, role: str) -> str:
        return kept_password(self._folder / f"{role}.password")
