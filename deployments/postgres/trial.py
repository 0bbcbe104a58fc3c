"""A look at a database that writes nothing: a read-only session, the tool's history, and what a role would need."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.model import Name, Schema
from checks.names import qualified
from deployments.postgres.activity import LongTransaction, long_transactions
from deployments.postgres.connect import ANSWERED, NAME_PREFIX, Session, Target, open_with
from deployments.postgres.errors import HistoryNotTable, TargetLocked
from deployments.postgres.history import HISTORIES, Applied
from deployments.postgres.schema_model import read_schema

# What the tools of the other layouts write: their table, and the versions in the order they were applied.
VERSIONS = {
    "dbmate": ("", "schema_migrations", "SELECT version::text FROM {} ORDER BY version"),
    "diesel": ("", "__diesel_schema_migrations", "SELECT version::text FROM {} ORDER BY version"),
    "flyway": (
        "",
        "flyway_schema_history",
        "SELECT version::text FROM {} WHERE success AND version IS NOT NULL ORDER BY installed_rank",
    ),
    "goose": (
        "",
        "goose_db_version",
        """
        SELECT version_id::text FROM (SELECT DISTINCT ON (version_id) version_id, is_applied FROM {}
        ORDER BY version_id, id DESC) last WHERE is_applied AND version_id > 0
        """,
    ),
    "sqitch": ("sqitch", "changes", "SELECT change FROM {} ORDER BY committed_at"),
}
# Where the histories that a deployment reads are.
KEPT = {"prisma": ("", "_prisma_migrations"), "sql-pairs": ("locktender", "history")}
# Everything is asked with this, so that no search path of a database or role leads to a function of somebody else.
FIXED = "SET LOCAL search_path = pg_catalog"
FIND = """
SELECT namespace.nspname, relkind IN ('r', 'p') FROM pg_class JOIN pg_namespace namespace
  ON namespace.oid = relnamespace
WHERE relname = %s AND namespace.nspname = ANY (%s::text[]) ORDER BY array_position(%s::text[], nspname::text) LIMIT 1
"""
OWNERS = """
SELECT namespace.nspname, relname, pg_get_userbyid(relowner) FROM pg_class
JOIN pg_namespace namespace ON namespace.oid = relnamespace
WHERE (namespace.nspname, relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
  AND NOT pg_has_role(relowner, 'USAGE')
ORDER BY 1, 2
"""
MAY = """
SELECT has_function_privilege('pg_control_system()', 'EXECUTE'), has_database_privilege(current_database(), 'CREATE'),
  to_regnamespace('locktender') IS NOT NULL
"""
MAY_MAKE = "SELECT has_schema_privilege(%s::text, 'CREATE')"


@dataclass(frozen=True, slots=True)
class Missing:
    """What the role may not do, and the SQL by which an administrator lets it; `relation` where it is about one."""

    what: str
    remedy: str
    relation: Name | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What a deployment would need: what is missing, and whether the schema locktender is there."""

    missing: tuple[Missing, ...]
    is_installed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a database answered at one moment. `applied` is None where the tool's history cannot be read yet."""

    schema: Schema
    applied: list[Applied] | None
    long: tuple[LongTransaction, ...]
    rights: Rights


def of_service(name: str) -> str:
    """Return the connection string that means a service of libpq's own file."""
    return make_conninfo(service=name)


def open_read_only(secret: str, target: Target, *, password: str = "") -> Session:
    """Return a session in which the server refuses every write.

    Raises as `connect.open_session` does; PasswordRefused also where one is wanted and none was given.
    """
    if password:
        secret = make_conninfo(secret, password=password)
    return open_with(secret, target, name=f"{NAME_PREFIX}trial", is_read_only=True)


def ask(opened: Session, target: Target, layout: str) -> Asked:
    """Return all that is asked of a database, of one moment, in one transaction that cannot write.

    Raises TargetLocked where an object stays locked, HistoryNotTable, and what the histories of
    `deployments.postgres.history` raise.
    """
    try:
        with opened.transaction(force_rollback=True):
            schema = read_schema(opened)
            opened.execute(FIXED)
            applied = _applied(opened, target, layout, schema.path)
            opened.execute(FIXED)
            return Asked(schema, applied, tuple(long_transactions(opened)), rights(opened, schema))
    except ANSWERED as locked:
        raise TargetLocked(target=target.name) from locked


def _applied(opened: Session, target: Target, layout: str, path: Iterable[str]) -> list[Applied] | None:
    """Return what the layout's own tool has applied, by name or version; None where its history cannot be read yet."""
    if layout not in VERSIONS and layout not in KEPT:
        return None
    home, table = KEPT[layout] if layout in KEPT else VERSIONS[layout][:2]
    places = [home] if home else list(path)
    row = opened.execute(FIND, [table, places, places]).fetchone()
    if row is None:
        return []
    place, is_table = row
    if not is_table:
        raise HistoryNotTable(target=target.name, name=qualified(place, table))
    if layout in KEPT:  # reads its table by its bare name
        opened.execute(sql.SQL("{}, {}").format(sql.SQL(FIXED), sql.Identifier(place)))
        return HISTORIES[layout].applied(opened, target)
    query = sql.SQL(VERSIONS[layout][2]).format(sql.Identifier(place, table))
    return [Applied(version, "") for (version,) in opened.execute(query).fetchall()]


def rights(opened: Session, schema: Schema) -> Rights:
    """Return what the role lacks to deploy to a schema, with every relation that only others may change."""
    role = sql.Identifier(opened.info.user).as_string(opened)
    database = sql.Identifier(opened.info.dbname).as_string(opened)
    row = opened.execute(MAY).fetchone()
    assert row is not None  # noqa: S101 # a SELECT without FROM returns one row
    identity, creates, is_installed = row
    found: list[Missing] = []
    if not identity:
        found.append(
            Missing("read the identity of the server", f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {role};")
        )
    if not is_installed and not creates:
        found.append(Missing("create the schema locktender", f"GRANT CREATE ON DATABASE {database} TO {role};"))
    if schema.path and opened.execute(MAY_MAKE, [schema.path[0]]).fetchone() == (False,):
        place = qualified(schema.path[0])
        found.append(Missing(f"create in the schema {place}", f"GRANT CREATE ON SCHEMA {place} TO {role};"))
    places, names = [one.schema for one in schema.relations], [one.name for one in schema.relations]
    for place, name, owner in opened.execute(OWNERS, [places, names]).fetchall():
        remedy = f"GRANT {sql.Identifier(owner).as_string(opened)} TO {role};"
        what = f"change {qualified(place, name)}, which belongs to {owner}"
        found.append(Missing(what, remedy, Name(place, name)))
    return Rights(tuple(found), is_installed)
