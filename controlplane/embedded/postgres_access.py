"""Who may sign in to a PostgreSQL server of ours, and what they may do there. Every statement may be repeated."""

from typing import Any

from psycopg import Connection, sql


def ensure_role(connection: Connection[Any], name: str, *, password: str, creates_databases: bool) -> None:
    """Make the role, or change it, so that it signs in with the password and has no power but the one named.

    Only a hash of the password is sent, so it shows in no log of statements.
    """
    known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    hashed = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL(
            "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS {databases} PASSWORD {hash}"
        ).format(
            verb=sql.SQL("CREATE" if known is None else "ALTER"),
            role=sql.Identifier(name),
            databases=sql.SQL("CREATEDB" if creates_databases else "NOCREATEDB"),
            hash=sql.Literal(hashed.decode()),
        )
    )


def ensure_database(connection: Connection[Any], name: str, *, owner: str) -> None:
    """Make the database, or change its owner; nobody else may connect until it is granted. Needs autocommit."""
    database = sql.Identifier(name)
    known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
    verb = sql.SQL("CREATE DATABASE {} OWNER {}" if known is None else "ALTER DATABASE {} OWNER TO {}")
    connection.execute(verb.format(database, sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def close_public_schema(connection: Connection[Any], *, owner: str) -> None:
    """Leave the schema public of the connected database to one role. Others need a grant even to look."""
    connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(owner)))
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


def grant_use(connection: Connection[Any], database: str, *, role: str) -> None:
    """Let a role connect to the connected database and look into its schema public, without creating anything."""
    to = sql.Identifier(role)
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), to))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to))
