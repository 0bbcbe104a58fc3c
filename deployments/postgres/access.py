"""Who may change the schema of a target past Locktender: owners, memberships, rights, sessions, and the gate."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from deployments.postgres.connect import NAME_PREFIX, Session, Target
from deployments.postgres.gate import GateState, gate_state
from deployments.postgres.snapshots.scope import OWN, no_member

# Superusers cannot be held back, and the server's own roles are nobody's to sign in with.
ROLES = """
SELECT rolname::text, rolcanlogin, rolcreaterole FROM pg_catalog.pg_roles
WHERE NOT rolsuper AND rolname !~ '^pg_' ORDER BY 1
"""
SUPERUSERS = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolsuper AND rolcanlogin ORDER BY 1"
# A sequence of a column follows its table.
OWNED = f"""
SELECT pg_get_userbyid(relowner)::text, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
         WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
       format('%%I.%%I', nspname, relname), quote_ident(nspname)
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {OWN} AND {no_member("pg_class", "relation.oid")}
  AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
           AND objid = relation.oid AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')))
UNION ALL
SELECT pg_get_userbyid(proowner)::text, 'ROUTINE',
       format('%%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(entry.oid)), quote_ident(nspname)
FROM pg_proc entry JOIN pg_namespace namespace ON namespace.oid = pronamespace
WHERE {OWN} AND {no_member("pg_proc", "entry.oid")}
UNION ALL
SELECT pg_get_userbyid(typowner)::text, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
       format('%%I.%%I', nspname, typname), quote_ident(nspname)
FROM pg_type entry JOIN pg_namespace namespace ON namespace.oid = typnamespace
WHERE {OWN} AND {no_member("pg_type", "entry.oid")}
  AND (typtype IN ('e', 'd', 'r') OR typtype = 'c'
       AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
UNION ALL
SELECT pg_get_userbyid(nspowner)::text, 'SCHEMA', quote_ident(nspname), quote_ident(nspname)
FROM pg_namespace namespace WHERE {OWN} AND {no_member("pg_namespace", "namespace.oid")}
UNION ALL
SELECT pg_get_userbyid(datdba)::text, 'DATABASE', quote_ident(datname), ''
FROM pg_database WHERE datname = current_database()
ORDER BY 1, 2, 3
"""
# Kinds that OWNED does not list: operators, statistics, publications, servers, large objects.
OWNED_ELSE = """
SELECT pg_get_userbyid(refobjid)::text, count(*)::int FROM pg_shdepend
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype = 'o'
  AND classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass)
GROUP BY 1
"""
# With TRIGGER one attaches code to a table, with REFERENCES one makes it wait for another.
GRANTED = f"""
SELECT grantee.rolname::text, given.privilege_type, 'SCHEMA', quote_ident(nspname)
FROM pg_namespace namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) given
LEFT JOIN pg_roles grantee ON grantee.oid = given.grantee
WHERE {OWN} AND given.privilege_type = 'CREATE' AND given.grantee <> nspowner
UNION ALL
SELECT grantee.rolname::text, given.privilege_type, 'DATABASE', quote_ident(datname)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) given
LEFT JOIN pg_roles grantee ON grantee.oid = given.grantee
WHERE datname = current_database() AND given.privilege_type = 'CREATE' AND given.grantee <> datdba
UNION ALL
SELECT grantee.rolname::text, given.privilege_type, 'TABLE', format('%%I.%%I', nspname, relname)
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relnamespace, aclexplode(relacl) given
LEFT JOIN pg_roles grantee ON grantee.oid = given.grantee
WHERE {OWN} AND relkind IN ('r', 'p', 'f', 'v', 'm') AND given.privilege_type IN ('TRIGGER', 'REFERENCES')
  AND given.grantee <> relowner
ORDER BY 1 NULLS FIRST, 2, 3, 4
"""
MEMBERS = """
SELECT member.rolname::text, parent.rolname::text FROM pg_catalog.pg_auth_members
JOIN pg_catalog.pg_roles member ON member.oid = pg_auth_members.member
JOIN pg_catalog.pg_roles parent ON parent.oid = pg_auth_members.roleid
ORDER BY 1, 2
"""
# Without pg_read_all_stats the name of an application is hidden, which is told, and so is what kind of process it is.
CLIENTS = f"""
SELECT usename::text, CASE WHEN pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE')
         THEN coalesce(application_name, '') END, count(*)::int
FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND usename IS NOT NULL
  AND coalesce(backend_type, 'client backend') = 'client backend'
  AND coalesce(application_name, '') NOT LIKE '{NAME_PREFIX}%%'
GROUP BY 1, 2 ORDER BY 1, 2
"""
PUBLIC = "PUBLIC"


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """What lets one role change the schema. Names of objects are quoted as SQL."""

    name: str
    can_sign_in: bool
    owns: tuple[tuple[str, str], ...] = ()  # kind and name, as ALTER … OWNER TO takes them
    owns_else: int = 0  # objects of other kinds
    member_of: tuple[str, ...] = ()  # roles that lead it to one who owns something, or to us
    granted: tuple[tuple[str, str, str], ...] = ()  # privilege, kind and name
    makes_roles: bool = False
    schemas: tuple[str, ...] = ()  # where it owns something

    @property
    def may_change(self) -> bool:
        """Whether anything of it lets it change the schema."""
        return bool(self.owns or self.owns_else or self.member_of or self.granted or self.makes_roles)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may change a schema. `ours` is who we sign in as, `owner` who owns what migrations make."""

    database: str  # quoted as SQL
    ours: str
    owner: str
    roles: tuple[RoleAccess, ...]  # without ours, the owner's and superusers
    everybody: RoleAccess  # what PUBLIC has
    schemas: tuple[str, ...]  # where the owner owns something; quoted
    owner_signs_in: bool  # the owner is somebody else than we, and can sign in itself
    superusers: tuple[str, ...]
    gate: GateState = field(default_factory=GateState)

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored."""
        return asdict(self)

    @classmethod
    def of_evidence(cls, told: Mapping[str, Any]) -> "Access":
        """Return what `as_evidence` wrote."""
        return cls(
            **{key: told[key] for key in ("database", "ours", "owner", "owner_signs_in")},
            roles=tuple(map(_role, told["roles"])),
            everybody=_role(told["everybody"]),
            superusers=tuple(told["superusers"]),
            schemas=tuple(told["schemas"]),
            gate=GateState(**told["gate"]),
        )


def _role(told: Mapping[str, Any]) -> RoleAccess:
    pairs = {key: tuple(tuple(one) for one in told[key]) for key in ("owns", "granted")}
    names = {key: tuple(told[key]) for key in ("member_of", "schemas")}
    return RoleAccess(**{**told, **pairs, **names})


def read_clients(opened: Session) -> list[dict[str, Any]]:
    """Return who else is in the database of a session: roles, their applications, and how many sessions each has.

    The application is None where this session's role may not see it.
    """
    return [
        {"role": role, "application": application, "sessions": count}
        for role, application, count in opened.execute(CLIENTS, ()).fetchall()
    ]


def read_access(opened: Session, target: Target) -> Access:
    """Return who may change the schema of a target. Needs no more than a role that may connect."""
    with opened.transaction():
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        opened.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        return _read_access(opened, target)


def _read_access(opened: Session, target: Target) -> Access:
    here = opened.execute("SELECT session_user::text, quote_ident(current_database())").fetchone()
    assert here is not None  # noqa: S101 # a SELECT without FROM returns one row
    ours, database = here
    owner = target.owner_role or ours
    roles = opened.execute(ROLES).fetchall()
    owned: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for name, kind, what, schema in opened.execute(OWNED, ()).fetchall():
        owned[name].append((kind, what, schema))
    owned_else: dict[str, int] = dict(opened.execute(OWNED_ELSE).fetchall())
    granted: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for grantee, privilege, kind, what in opened.execute(GRANTED, ()).fetchall():
        granted[grantee or PUBLIC].append((privilege, kind, what))
    parents: dict[str, set[str]] = defaultdict(set)
    for member, parent in opened.execute(MEMBERS).fetchall():
        parents[member].add(parent)
    powerful = {ours, owner, *owned, *(name for name in granted if name != PUBLIC)}
    superusers = tuple(name for (name,) in opened.execute(SUPERUSERS).fetchall())
    powerful |= set(superusers)
    found = [
        RoleAccess(
            name=name,
            can_sign_in=can_sign_in,
            owns=tuple((kind, what) for kind, what, _ in owned[name]),
            owns_else=owned_else.get(name, 0),
            member_of=tuple(sorted(one for one in parents[name] if _reaches(one, powerful, parents))),
            granted=tuple(granted[name]),
            makes_roles=makes_roles,
            schemas=tuple(sorted({schema for _, _, schema in owned[name] if schema})),
        )
        for name, can_sign_in, makes_roles in roles
        if name not in {ours, owner}
    ]
    return Access(
        database=database,
        ours=ours,
        owner=owner,
        roles=tuple(one for one in found if one.may_change),
        everybody=RoleAccess(PUBLIC, can_sign_in=False, granted=tuple(granted[PUBLIC])),
        schemas=tuple(sorted({schema for _, _, schema in owned[owner] if schema})),
        owner_signs_in=owner != ours and any(can_sign_in for name, can_sign_in, _ in roles if name == owner),
        superusers=superusers,
        gate=gate_state(opened),
    )


def _reaches(role: str, powerful: set[str], parents: dict[str, set[str]]) -> bool:
    """Return whether a member of this role can come by the rights of one that may change something."""
    seen: set[str] = set()
    todo = [role]
    while todo:
        one = todo.pop()
        if one in powerful:
            return True
        seen.add(one)
        todo += parents[one] - seen
    return False
