"""What belongs to a database itself, and is in no dump of its content: read, made anew, and compared."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from psycopg import sql

from deployments.postgres.connect import Session

PROVIDERS_SINCE = 150000  # server_version_num; before that everything is libc's
PRIVILEGES = {one: one for one in ("CREATE", "CONNECT", "TEMPORARY")}
PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}

# Columns came and went with the versions: the row is read as JSON, and what is not there is null.
READ = """
SELECT to_jsonb(d) || jsonb_build_object(
    'encoding_name', pg_encoding_to_char(encoding), 'owner', pg_get_userbyid(datdba),
    'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = dattablespace),
    'comment', shobj_description(d.oid, 'pg_database'), 'size', pg_database_size(d.oid),
    'grants', (SELECT jsonb_agg(jsonb_build_array(
            CASE WHEN grantee = 0 THEN '' ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable)
        ORDER BY 1) FROM aclexplode(datacl) item (grantor, grantee, privilege_type, is_grantable)))
FROM pg_database d WHERE datname = current_database()
"""
SETTINGS = """
SELECT coalesce(rolname, ''), unnest(setconfig) FROM pg_db_role_setting
LEFT JOIN pg_roles ON pg_roles.oid = setrole
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2
"""
# Whoever owns something in the database or has a right there. The server notes none for the role that made it.
ROLES = """
SELECT DISTINCT rolname FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
WHERE refclassid = 'pg_authid'::regclass
  AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (dbid <> 0 OR (classid = 'pg_database'::regclass
                     AND objid = (SELECT oid FROM pg_database WHERE datname = current_database())))
UNION SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
UNION SELECT rolname FROM pg_roles WHERE oid = 10
ORDER BY 1
"""
# A list of these is a list of names: each is quoted for itself, and the comma stays outside.
LISTS = frozenset(
    {"datestyle", "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
     "temp_tablespaces", "unix_socket_directories"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Properties:
    """What CREATE DATABASE and ALTER DATABASE say. Names of roles are as the server has them; "" is PUBLIC."""

    encoding: str
    provider: str
    collate: str
    ctype: str
    locale: str | None
    rules: str | None
    owner: str
    tablespace: str
    connection_limit: int
    comment: str | None
    settings: list[list[str]]  # role or "", "name=value"
    grants: list[list[Any]] | None  # grantee, privilege, whether it can be passed on; None is what everybody has
    roles: list[str]
    size_bytes: int

    def as_manifest(self) -> dict[str, Any]:
        """Return it as what the manifest says."""
        return asdict(self)

    @classmethod
    def of_manifest(cls, told: Mapping[str, Any]) -> "Properties":
        """Return what a manifest says. Raises KeyError."""
        return cls(**{one.name: told[one.name] for one in fields(cls)})

    def differences(self, other: "Properties", *, with_grants: bool) -> list[str]:
        """Return what another database of the same content has differently, as sentences. Sizes are not compared."""
        compared = [one.name for one in fields(self) if one.name not in {"size_bytes", "roles", "grants", "tablespace"}]
        compared += ["grants"] if with_grants else []
        return [
            f"database: {name.replace('_', ' ')}: {getattr(self, name)!r} -> {getattr(other, name)!r}"
            for name in compared
            if getattr(self, name) != getattr(other, name)
        ]


def read_properties(opened: Session) -> Properties:
    """Return the properties of the database of a session."""
    row = opened.execute(READ).fetchone()
    assert row is not None  # noqa: S101 # a session is in a database
    told = row[0]
    return Properties(
        encoding=told["encoding_name"],
        provider=PROVIDERS[told.get("datlocprovider", "c")],
        collate=told["datcollate"],
        ctype=told["datctype"],
        locale=told.get("datlocale", told.get("daticulocale")),
        rules=told.get("daticurules"),
        owner=told["owner"],
        tablespace=told["tablespace"],
        connection_limit=told["datconnlimit"],
        comment=told["comment"],
        settings=[list(one) for one in opened.execute(SETTINGS)],
        grants=told["grants"],
        roles=[name for (name,) in opened.execute(ROLES)],
        size_bytes=told["size"],
    )


def create_database(opened: Session, name: str, wanted: Properties) -> None:
    """Create an empty database with these properties, without settings, comment and grants: see `carry`.

    Its owner is the one that is wanted. Raises psycopg.Error.
    """
    words = [sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))]
    options: list[tuple[str, str | None]] = [("ENCODING", wanted.encoding)]
    version = opened.info.server_version
    if version >= PROVIDERS_SINCE:
        options.append(("LOCALE_PROVIDER", wanted.provider))
    options += [("LC_COLLATE", wanted.collate), ("LC_CTYPE", wanted.ctype)]
    if wanted.provider != "libc":
        options.append(("BUILTIN_LOCALE" if wanted.provider == "builtin" else "ICU_LOCALE", wanted.locale))
    if wanted.rules:
        options.append(("ICU_RULES", wanted.rules))
    words += [
        sql.SQL("{} {}").format(sql.SQL(option), sql.Literal(value)) for option, value in options if value is not None
    ]
    words.append(sql.SQL("OWNER {}").format(sql.Identifier(wanted.owner)))
    # Copying by way of the log is the default from 15 on; template0 is small, and a checkpoint of a busy server is not.
    opened.execute(sql.SQL(" ").join(words))


def close_database(opened: Session, name: str) -> None:
    """Let nobody into a database but its owner and superusers. Raises psycopg.Error."""
    opened.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def carry(opened: Session, name: str, wanted: Properties, *, with_grants: bool) -> None:
    """Give a database the settings and the comment that are wanted, and the grants if asked. Raises psycopg.Error.

    `opened` leads to that database's server. Only after its content is restored: a setting may forbid to write.
    """
    database = sql.Identifier(name)
    with opened.transaction():
        if wanted.comment:
            opened.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(wanted.comment)))
        opened.execute(
            sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, sql.Literal(wanted.connection_limit))
        )
        for role, setting in wanted.settings:
            place = sql.SQL("ALTER DATABASE {}").format(database)
            if role:
                place = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
            opened.execute(sql.SQL("{} SET {}").format(place, _setting(setting)))
        if with_grants:
            _grant(opened, database, wanted)


def _grant(opened: Session, database: sql.Identifier, wanted: Properties) -> None:
    if wanted.grants is None:
        opened.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(database))
        return
    opened.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for grantee, privilege, can_pass_on in wanted.grants:
        opened.execute(
            sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                sql.SQL(PRIVILEGES[privilege]),
                database,
                sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if can_pass_on else ""),
            )
        )


def _setting(setting: str) -> sql.Composable:
    """Return "name=value" as the server has it, as SQL."""
    name, _, value = setting.partition("=")
    shown = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
    values = _listed(value) if name.lower() in LISTS else [value]
    return sql.SQL("{} = {}").format(shown, sql.SQL(", ").join(map(sql.Literal, values)))


def _listed(value: str) -> list[str]:
    """Return the names of a list as the server keeps it: in quotes where they need them, with commas between."""
    quoted_or_bare = re.findall(r'\s*(?:"((?:[^"]|"")*)"|([^",]+))\s*(?:,|$)', value)
    return [quoted.replace('""', '"') or bare.strip() for quoted, bare in quoted_or_bare] or [""]


def missing_roles(opened: Session, wanted: Properties) -> list[str]:
    """Return which roles that own something or have a right are not on the server of a session."""
    query = "SELECT name FROM unnest(%s::text[]) name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)"
    return sorted(name for (name,) in opened.execute(query, [wanted.roles]))


def make_role(opened: Session, name: str) -> None:
    """Create a role that cannot log in, and let this session's role act as it. Raises psycopg.Error."""
    opened.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    is_super = opened.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if is_super != (True,):
        opened.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(name)))
