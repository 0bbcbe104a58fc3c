"""The control database on a server of ours: its two roles, and what each may do before `migrate` grants the rest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from controlplane.embedded.postgres_access import close_public_schema, ensure_database, ensure_role, grant_use

CONNECT_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class SignIn:
    """A role and its password."""

    role: str
    password: str = field(repr=False)


def ensure_control_database(
    connect: Callable[[str], Connection[Any]], name: str, *, owner: SignIn, application: SignIn
) -> None:
    """Make the database and its roles, or change them to this. May be repeated; what is in the database stays.

    `connect` opens a database of the server as a superuser, in autocommit.
    """
    with connect("postgres") as server:
        for one in (owner, application):
            ensure_role(server, one.role, password=one.password, creates_databases=False)
        ensure_database(server, name, owner=owner.role)
    with connect(name) as database:
        close_public_schema(database, owner=owner.role)
        grant_use(database, name, role=application.role)


def superuser_at(host: str, port: int, superuser: SignIn) -> Callable[[str], Connection[Any]]:
    """Return what opens a database of a server as its superuser. That raises psycopg.Error if it cannot."""

    def connect(database: str) -> Connection[Any]:
        return psycopg.connect(
            host=host,
            port=port,
            user=superuser.role,
            password=superuser.password,
            dbname=database,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )

    return connect
