"""Reading a target: who it is, what its layout's history says, what its schema is, how big its tables are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from checks.model import Schema
from checks.schema import pieces, record_hash, touched
from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import PrivilegeMissing, ServerTooOld, TargetLocked
from deployments.postgres.history import Applied, LayoutHistory
from deployments.postgres.ledger import Identity, identity
from deployments.postgres.schema_model import read_schema

OLDEST_SERVER = 140000  # server_version_num

# The server's own functions write the records, under a fixed search path, so that they are the same in every session.
# Not recorded: locktender's own schema, members of extensions, and what changes by itself (sizes, last values).
OWN = "namespace.nspname !~ '^(pg_|information_schema$|locktender$)'"
NO_MEMBER = (
    "NOT EXISTS (SELECT FROM pg_depend WHERE classid = '{catalog}'::regclass AND objid = {oid} AND deptype = 'e')"
)
RELATIONS = f"""
SELECT CASE relation.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
            WHEN 'c' THEN 'type' ELSE 'table' END || ' ' || namespace.nspname || '.' || relation.relname,
  jsonb_build_object(
    'kind', relation.relkind, 'persistence', relation.relpersistence, 'options', relation.reloptions,
    'owner', pg_get_userbyid(relation.relowner), 'row security', relation.relrowsecurity,
    'forced row security', relation.relforcerowsecurity, 'replica identity', relation.relreplident,
    'partition key', pg_get_partkeydef(relation.oid), 'bound', pg_get_expr(relation.relpartbound, relation.oid),
    'comment', obj_description(relation.oid, 'pg_class'),
    'view', CASE WHEN relation.relkind IN ('v', 'm') THEN pg_get_viewdef(relation.oid) END,
    'grants', (SELECT array_agg(item::text ORDER BY item::text) FROM unnest(coalesce(relation.relacl,
        acldefault(CASE relation.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, relation.relowner))) item),
    'parents', (SELECT array_agg(inhparent::regclass::text ORDER BY inhseqno) FROM pg_inherits
        WHERE inhrelid = relation.oid),
    'columns', (SELECT jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull,
            pg_get_expr(adbin, adrelid), attidentity, attgenerated, attcollation, attacl::text,
            col_description(attrelid, attnum)) ORDER BY attname)
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped),
    'constraints', (SELECT jsonb_agg(jsonb_build_array(conname, pg_get_constraintdef(oid), convalidated)
        ORDER BY conname) FROM pg_constraint WHERE conrelid = relation.oid AND (contype <> 'n' OR NOT convalidated)),
    'indexes', (SELECT jsonb_agg(jsonb_build_array(pg_get_indexdef(indexrelid), indisvalid, indisready,
        indisclustered, indisreplident) ORDER BY pg_get_indexdef(indexrelid))
        FROM pg_index WHERE indrelid = relation.oid),
    'triggers', (SELECT jsonb_agg(jsonb_build_array(pg_get_triggerdef(oid), tgenabled) ORDER BY tgname)
        FROM pg_trigger WHERE tgrelid = relation.oid AND NOT tgisinternal),
    'rules', (SELECT array_agg(pg_get_ruledef(oid) || ev_enabled::text ORDER BY rulename)
        FROM pg_rewrite WHERE ev_class = relation.oid AND rulename <> '_RETURN'),
    'statistics', (SELECT array_agg(pg_get_statisticsobjdef(oid) ORDER BY stxname)
        FROM pg_statistic_ext WHERE stxrelid = relation.oid),
    'policies', (SELECT jsonb_agg(jsonb_build_array(polname, polcmd, polpermissive, polroles::regrole[]::text,
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ORDER BY polname)
        FROM pg_policy WHERE polrelid = relation.oid),
    'sequence', (SELECT jsonb_build_array(format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax,
        seqcache, seqcycle) FROM pg_sequence WHERE seqrelid = relation.oid))::text
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {OWN}
  AND {NO_MEMBER.format(catalog="pg_class", oid="relation.oid")}
"""
FUNCTIONS = f"""
SELECT 'function ' || namespace.nspname || '.' || proname
    || '(' || pg_get_function_identity_arguments(routine.oid) || ')',
  jsonb_build_object('definition', CASE WHEN prokind = 'a' THEN prosrc ELSE pg_get_functiondef(routine.oid) END,
    'owner', pg_get_userbyid(proowner), 'comment', obj_description(routine.oid, 'pg_proc'),
    'grants', (SELECT array_agg(item::text ORDER BY item::text)
        FROM unnest(coalesce(proacl, acldefault('f', proowner))) item))::text
FROM pg_proc routine JOIN pg_namespace namespace ON namespace.oid = pronamespace
WHERE {OWN} AND {NO_MEMBER.format(catalog="pg_proc", oid="routine.oid")}
"""
TYPES = f"""
SELECT 'type ' || namespace.nspname || '.' || typname,
  jsonb_build_object('kind', typtype, 'base', format_type(typbasetype, typtypmod), 'not null', typnotnull,
    'default', typdefault, 'owner', pg_get_userbyid(typowner),
    'labels', (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = kind.oid),
    'constraints', (SELECT array_agg(conname || ' ' || pg_get_constraintdef(oid) ORDER BY conname)
        FROM pg_constraint WHERE contypid = kind.oid AND contype <> 'n'))::text
FROM pg_type kind JOIN pg_namespace namespace ON namespace.oid = typnamespace
WHERE typtype IN ('e', 'd', 'r') AND {OWN} AND {NO_MEMBER.format(catalog="pg_type", oid="kind.oid")}
"""
EXTENSIONS = "SELECT 'extension ' || extname, to_jsonb(extversion)::text FROM pg_extension"
SCHEMAS = f"""
SELECT 'schema ' || nspname, jsonb_build_array(pg_get_userbyid(nspowner), nspacl::text)::text
FROM pg_namespace namespace WHERE {OWN}
"""
SNAPSHOT = (RELATIONS, FUNCTIONS, TYPES, EXTENSIONS, SCHEMAS)

# As the server last counted them: to measure would wait for every lock on every table.
SIZES = f"""
SELECT namespace.nspname || '.' || relation.relname,
  (relation.relpages::bigint + coalesce(long_values.relpages, 0)) * current_setting('block_size')::bigint,
  relation.reltuples::bigint
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_class long_values ON long_values.oid = relation.reltoastrelid
WHERE relation.relkind IN ('r', 'm') AND {OWN}
"""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read from a target at one moment."""

    identity: Identity
    server_version: int
    connections: int  # max_connections
    history: list[Applied]
    schema: dict[str, str]  # object -> SHA-256 of its record
    pieces: dict[str, dict[str, str]]  # the same of what the asked objects consist of
    sizes: dict[str, dict[str, int | None]]  # rows_estimated is None where nothing was ever counted
    model: Schema  # the schema with sizes and traffic, as judgements need it


def observe(opened: Session, target: Target, history: LayoutHistory, *, into: Iterable[str] = ()) -> Observed:
    """Read a target in one snapshot, without writing. Needs no more than a role that may connect.

    `into` are names, as `checks` gives them, of objects whose pieces are wanted too: columns, indexes, constraints.
    Raises ServerTooOld, TargetLocked where an object stays locked, and PrivilegeMissing where the role may not read.
    """
    try:
        return _observe(opened, target, history, into)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as locked:
        raise TargetLocked(target=target.name) from locked


def _observe(opened: Session, target: Target, history: LayoutHistory, into: Iterable[str]) -> Observed:
    if opened.info.server_version < OLDEST_SERVER:
        raise ServerTooOld(target=target.name, version=opened.info.server_version)
    with opened.transaction():
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            who = identity(opened)
        except psycopg.errors.InsufficientPrivilege as refused:
            role = sql.Identifier(opened.info.user).as_string(opened)
            remedy = f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {role}"
            raise PrivilegeMissing(
                target=target.name, what="read the identity of the server", remedy=remedy
            ) from refused
        found = records(opened)
        schema = {name: record_hash(record) for name, record in found.items()}
        return Observed(
            identity=who,
            server_version=opened.info.server_version,
            connections=int(_value(opened, "SHOW max_connections")),
            history=history.applied(opened, target),
            schema=schema,
            pieces={name: pieces(found[name]) for name in touched(schema, into)},
            sizes={
                name: {"bytes": size, "rows_estimated": rows if rows >= 0 else None}
                for name, size, rows in opened.execute(SIZES).fetchall()
            },
            model=read_schema(opened, as_role=target.owner_role),
        )


def snapshot(opened: Session) -> dict[str, str]:
    """Return the hash of every object of the schema. Called as `records` is."""
    return {name: record_hash(record) for name, record in records(opened).items()}


def records(opened: Session) -> dict[str, str]:
    """Return the record of every object of the schema, as JSON.

    Called inside a transaction; leaves the search path as it was.
    """
    objects: dict[str, str] = {}
    with opened.transaction(force_rollback=True):  # undoes the search path
        opened.execute("SET LOCAL search_path = pg_catalog")
        for query in SNAPSHOT:
            objects |= dict(opened.execute(query).fetchall())
    return objects


def _value(opened: Session, query: str) -> Any:
    row = opened.execute(query).fetchone()
    assert row is not None  # noqa: S101 # SHOW returns one row
    return row[0]
