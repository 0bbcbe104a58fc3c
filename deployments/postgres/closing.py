"""The SQL that takes from roles what lets them change a schema past Locktender. It is printed, and never run by us."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from deployments.postgres.access import PUBLIC, Access, RoleAccess

FRAME = "-- Run this as a superuser, or as a role that may act as all roles named here, in the database {}.\nBEGIN;\n"
# An owner that is waited for keeps the application waiting, too.
PATIENCE = "SET LOCAL lock_timeout = '2s';\n"
ROWS = {"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"}


@dataclass(frozen=True, slots=True)
class Closing:
    """What takes the schema from one role, and what one has to know before it is run."""

    role: RoleAccess
    sql: str
    notes: tuple[str, ...]


def closings(access: Access) -> tuple[Closing, ...]:
    """Return the SQL for every role that may change the schema past us, and for everybody."""
    found = [Closing(one, _framed(access, _of_role(access, one)), tuple(_notes(one))) for one in access.roles]
    if access.everybody.may_change:
        found.append(Closing(access.everybody, _framed(access, _revoked(access.everybody, PUBLIC)), ()))
    return tuple(found)


def parting_sql(access: Access, *, application: str) -> str:
    """Return the SQL that gives the application a role of its own, where it signs in as the one who owns the objects.

    `application` is the name of the new role.
    """
    role, owner = _name(application), _name(access.owner)
    lines = [
        f"CREATE ROLE {role} LOGIN;  -- give it a password with \\password, and the application its connection",
        *_rights_of_the_application(role, owner, access.schemas),
        f"-- When no application signs in as {owner} any more:",
        f"-- ALTER ROLE {owner} NOLOGIN;",
    ]
    return _framed(access, iter(lines))


def _framed(access: Access, lines: Iterator[str]) -> str:
    return FRAME.format(access.database) + PATIENCE + "".join(f"{line}\n" for line in lines) + "COMMIT;\n"


def _of_role(access: Access, role: RoleAccess) -> Iterator[str]:
    name, owner = _name(role.name), _name(access.owner)
    for kind, what in role.owns:
        yield f"ALTER {kind} {what} OWNER TO {owner};"
        if kind in ROWS:
            yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {what} TO {name};"
        elif kind == "SEQUENCE":
            yield f"GRANT USAGE, SELECT, UPDATE ON SEQUENCE {what} TO {name};"
        elif kind == "ROUTINE":
            yield f"GRANT EXECUTE ON ROUTINE {what} TO {name};"
        elif kind == "SCHEMA":
            yield f"GRANT USAGE ON SCHEMA {what} TO {name};"
    if role.owns:
        yield from _rights_of_the_application(name, owner, role.schemas)
    yield from (f"REVOKE {_name(parent)} FROM {name};" for parent in role.member_of)
    yield from _revoked(role, name)
    if role.makes_roles:
        yield f"ALTER ROLE {name} NOCREATEROLE;"


def _rights_of_the_application(role: str, owner: str, schemas: tuple[str, ...]) -> Iterator[str]:
    """Yield what an application needs of what is there, and of what migrations will make."""
    for schema in schemas:
        yield f"GRANT USAGE ON SCHEMA {schema} TO {role};"
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
        yield f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
        future = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT"
        yield f"{future} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};"
        yield f"{future} USAGE, SELECT, UPDATE ON SEQUENCES TO {role};"


def _revoked(role: RoleAccess, name: str) -> Iterator[str]:
    yield from (f"REVOKE {privilege} ON {kind} {what} FROM {name};" for privilege, kind, what in role.granted)


def _notes(role: RoleAccess) -> Iterator[str]:
    if role.owns_else:
        yield (
            f"It owns {role.owns_else} object(s) of other kinds too (operators, statistics, publications, servers, "
            "large objects), which stay its own."
        )
    if role.member_of:
        yield f"It can act as {', '.join(role.member_of)}: look at what else it needs that membership for."
    if role.owns:
        yield "It may use all tables and sequences of these schemas afterwards, as an application does."


def _name(role: str) -> str:
    return sql.Identifier(role).as_string(None)
