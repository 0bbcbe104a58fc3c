"""Reading the schema of a target as a model: tables with all that belongs to them, sizes, and how they are used."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from checks.model import Schema
from checks.names import unqualified
from deployments.postgres import schema_rows as rows
from deployments.postgres.connect import Session

# One query for each catalogue. Names are put together here, not by the server, so that no search path matters; it is
# fixed for what the server does write: types, expressions, bounds.
_OWN = "namespace.nspname !~ '^(pg_|information_schema$|locktender$)'"
_NAMED = "namespace.nspname AS schema, relation.relname AS name"
_FROM = "pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace"

# The bytes are those of the server's last count: to measure would wait for every lock on every table.
RELATIONS = f"""
SELECT relation.oid, {_NAMED}, relation.relkind::text AS kind, relation.relpersistence <> 'u' AS is_logged,
  nullif(method.amname, current_setting('default_table_access_method')) AS access_method,
  pg_get_partkeydef(relation.oid) AS partition_key,
  CASE WHEN relation.relispartition THEN pg_get_expr(relation.relpartbound, relation.oid) END AS bound,
  (SELECT array_agg(inhparent ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = relation.oid) AS parents,
  (relation.relpages::bigint + coalesce(long_values.relpages, 0)) * current_setting('block_size')::bigint AS bytes,
  relation.reltuples::bigint AS rows,
  (SELECT sum(own.relpages)::bigint FROM pg_index JOIN pg_class own ON own.oid = indexrelid
   WHERE indrelid = relation.oid) * current_setting('block_size')::bigint AS index_bytes
FROM {_FROM}
LEFT JOIN pg_class long_values ON long_values.oid = relation.reltoastrelid
LEFT JOIN pg_am method ON method.oid = relation.relam AND relation.relkind IN ('r', 'm', 'p')
WHERE relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c') AND {_OWN} ORDER BY relation.oid
"""
COLUMNS = f"""
SELECT attribute.attrelid AS relation, attribute.attnum AS number, attribute.attname AS name,
  format_type(attribute.atttypid, attribute.atttypmod) AS written, kind.typname AS type, home.nspname AS type_schema,
  element.typname AS element, element_home.nspname AS element_schema, attribute.attnotnull AS forbids_null,
  pg_get_expr(standard.adbin, standard.adrelid) AS "default", attribute.attidentity <> '' AS is_identity,
  attribute.attgenerated::text AS generated, attribute.attislocal AS is_local,
  CASE WHEN attribute.attcollation <> kind.typcollation THEN quote_ident(collname) END AS collation,
  attribute.attnum = ANY (coalesce(partition.partattrs::smallint[], '{{}}')) AS in_key
FROM pg_attribute attribute JOIN {_FROM.replace("JOIN", "ON relation.oid = attribute.attrelid JOIN", 1)}
JOIN pg_type kind ON kind.oid = attribute.atttypid JOIN pg_namespace home ON home.oid = kind.typnamespace
LEFT JOIN pg_type element ON element.typarray = kind.oid
LEFT JOIN pg_namespace element_home ON element_home.oid = element.typnamespace
LEFT JOIN pg_attrdef standard ON standard.adrelid = attribute.attrelid AND standard.adnum = attribute.attnum
LEFT JOIN pg_collation ON pg_collation.oid = attribute.attcollation
LEFT JOIN pg_partitioned_table partition ON partition.partrelid = relation.oid
WHERE relation.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND attribute.attnum > 0 AND NOT attribute.attisdropped
  AND {_OWN} ORDER BY attribute.attrelid, attribute.attnum
"""
# A foreign key to a partitioned table has rows of its own for every partition there; they belong to the first one.
CONSTRAINTS = f"""
SELECT held.conrelid AS relation, held.conname AS name, held.contype::text AS kind, held.conkey AS columns,
  held.confrelid AS "references", held.confkey AS referenced_columns, held.convalidated AS is_valid,
  coalesce((to_jsonb(held) ->> 'conenforced')::boolean, true) AS is_enforced, held.confdeltype::text AS on_delete,
  held.confupdtype::text AS on_update,
  CASE WHEN held.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED' WHEN held.condeferrable THEN 'DEFERRABLE' ELSE '' END
    AS timing,
  pg_get_expr(held.conbin, held.conrelid) AS expression, held.conindid AS index, held.conislocal AS is_local,
  held.connoinherit AS is_no_inherit
FROM pg_constraint held JOIN {_FROM.replace("JOIN", "ON relation.oid = held.conrelid JOIN", 1)}
WHERE held.contype IN ('c', 'f', 'u', 'p', 'x', 'n') AND {_OWN}
  AND NOT EXISTS (SELECT FROM pg_constraint first WHERE first.oid = held.conparentid AND first.conrelid = held.conrelid)
ORDER BY held.oid
"""
INDEXES = f"""
SELECT index.indrelid AS relation, index.indexrelid AS oid, own.relname AS name, method.amname AS method,
  index.indisunique AS is_unique, index.indisvalid AS is_valid, index.indkey::smallint[] AS keys,
  index.indnkeyatts AS key_count, pg_get_expr(index.indpred, index.indrelid) AS predicate,
  pg_get_indexdef(index.indexrelid) AS definition,
  CASE WHEN index.indexprs IS NOT NULL THEN (SELECT array_agg(pg_get_indexdef(index.indexrelid, place, false)
    ORDER BY place) FROM generate_series(1, index.indnkeyatts) place WHERE index.indkey[place - 1] = 0) END
    AS expressions,
  (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = index.indexrelid) AS labels,
  (SELECT array_agg(refobjsubid) FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = index.indexrelid
    AND refclassid = 'pg_class'::regclass AND refobjid = index.indrelid AND refobjsubid > 0) AS uses,
  (SELECT array_agg(CASE WHEN opcdefault THEN '' ELSE quote_ident(opcname) END ORDER BY place)
   FROM unnest(index.indclass::oid[]) WITH ORDINALITY AS used (class, place) JOIN pg_opclass ON pg_opclass.oid = class)
    AS operator_classes,
  (SELECT array_agg(CASE WHEN used.oid IN (0, coalesce(nullif(attcollation, 0), 100)) THEN ''
                         ELSE quote_ident(collname) END ORDER BY place)
   FROM unnest(index.indcollation::oid[]) WITH ORDINALITY AS used (oid, place)
   LEFT JOIN pg_collation ON pg_collation.oid = used.oid
   LEFT JOIN pg_attribute ON attrelid = index.indrelid AND attnum = index.indkey[place - 1] AND attnum <> 0)
    AS collations,
  (SELECT inhparent FROM pg_inherits WHERE inhrelid = index.indexrelid) AS parent
FROM pg_index index JOIN pg_class own ON own.oid = index.indexrelid JOIN pg_am method ON method.oid = own.relam
JOIN {_FROM.replace("JOIN", "ON relation.oid = index.indrelid JOIN", 1)}
WHERE {_OWN} ORDER BY index.indexrelid
"""
READS = f"""
SELECT DISTINCT rule.ev_class AS relation, need.refobjid AS reads, need.refobjsubid AS number
FROM pg_depend need JOIN pg_rewrite rule ON need.classid = 'pg_rewrite'::regclass AND need.objid = rule.oid
JOIN {_FROM.replace("JOIN", "ON relation.oid = rule.ev_class JOIN", 1)}
WHERE need.refclassid = 'pg_class'::regclass AND need.refobjid <> rule.ev_class AND rule.rulename = '_RETURN'
  AND relation.relkind IN ('v', 'm') AND {_OWN}
"""
OWNERS = f"""
SELECT need.objid AS sequence, need.refobjid AS relation, need.refobjsubid AS number
FROM pg_depend need JOIN {_FROM.replace("JOIN", "ON relation.oid = need.objid JOIN", 1)}
WHERE need.classid = 'pg_class'::regclass AND need.refclassid = 'pg_class'::regclass AND need.refobjsubid > 0
  AND need.deptype IN ('a', 'i') AND relation.relkind = 'S' AND {_OWN}
"""
TRIGGERS = f"""
SELECT trigger.tgrelid AS relation, trigger.tgname AS name, home.nspname AS function_schema, proname AS function,
  trigger.tgtype AS events, trigger.tgattr::smallint[] AS columns,
  (SELECT array_agg(refobjsubid) FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND objid = trigger.oid
    AND refclassid = 'pg_class'::regclass AND refobjid = trigger.tgrelid AND refobjsubid > 0) AS names
FROM pg_trigger trigger JOIN {_FROM.replace("JOIN", "ON relation.oid = trigger.tgrelid JOIN", 1)}
JOIN pg_proc ON pg_proc.oid = trigger.tgfoid JOIN pg_namespace home ON home.oid = pronamespace
WHERE NOT trigger.tgisinternal AND {_OWN} ORDER BY trigger.oid
"""
RULES = f"""
SELECT rule.ev_class AS relation, rule.rulename AS name,
  (SELECT array_agg(DISTINCT refobjid) FROM pg_depend WHERE classid = 'pg_rewrite'::regclass AND objid = rule.oid
    AND refclassid = 'pg_class'::regclass AND (refobjid <> rule.ev_class OR deptype = 'n')) AS reads
FROM pg_rewrite rule JOIN {_FROM.replace("JOIN", "ON relation.oid = rule.ev_class JOIN", 1)}
WHERE rule.rulename <> '_RETURN' AND {_OWN} ORDER BY rule.oid
"""
POLICIES = f"""
SELECT policy.polrelid AS relation, policy.polname AS name,
  concat_ws(' AND ', '(' || pg_get_expr(polqual, polrelid) || ')', '(' || pg_get_expr(polwithcheck, polrelid) || ')')
    AS conditions
FROM pg_policy policy JOIN {_FROM.replace("JOIN", "ON relation.oid = policy.polrelid JOIN", 1)}
WHERE {_OWN} ORDER BY policy.oid
"""
TYPES = f"""
SELECT namespace.nspname AS schema, kind.typname AS name, kind.typtype::text AS kind,
  format_type(kind.typbasetype, kind.typtypmod) AS written, base.typname AS type, home.nspname AS type_schema,
  element.typname AS element, element_home.nspname AS element_schema,
  (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = kind.oid) AS labels,
  (SELECT json_object_agg(conname, convalidated ORDER BY oid) FROM pg_constraint WHERE contypid = kind.oid)
    AS constraints,
  (SELECT conname FROM pg_constraint WHERE contypid = kind.oid AND contype = 'n') AS not_null,
  kind.typnotnull AS forbids_null
FROM pg_type kind JOIN pg_namespace namespace ON namespace.oid = kind.typnamespace
LEFT JOIN pg_type base ON base.oid = kind.typbasetype LEFT JOIN pg_namespace home ON home.oid = base.typnamespace
LEFT JOIN pg_type element ON element.typarray = base.oid
LEFT JOIN pg_namespace element_home ON element_home.oid = element.typnamespace
LEFT JOIN pg_class composite ON composite.oid = kind.typrelid
WHERE (kind.typtype IN ('e', 'd', 'r') OR composite.relkind = 'c'
    OR (kind.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type WHERE typarray = kind.oid)))
  AND {_OWN} ORDER BY kind.oid
"""
FUNCTIONS = f"""
SELECT namespace.nspname AS schema, routine.proname AS name, routine.provolatile::text AS volatility,
  language.lanname AS language,
  CASE WHEN language.lanname = 'sql' AND routine.prokind = 'f' THEN pg_get_functiondef(routine.oid) END AS definition,
  (SELECT json_agg(json_build_array(format_type(argument, NULL), kind.typname, home.nspname, element.typname,
      element_home.nspname) ORDER BY place)
   FROM unnest(routine.proargtypes::oid[]) WITH ORDINALITY AS given (argument, place)
   JOIN pg_type kind ON kind.oid = argument JOIN pg_namespace home ON home.oid = kind.typnamespace
   LEFT JOIN pg_type element ON element.typarray = kind.oid
   LEFT JOIN pg_namespace element_home ON element_home.oid = element.typnamespace) AS arguments
FROM pg_proc routine JOIN pg_namespace namespace ON namespace.oid = routine.pronamespace
JOIN pg_language language ON language.oid = routine.prolang WHERE {_OWN} ORDER BY routine.oid
"""
EXTENSIONS = "SELECT extname AS name FROM pg_extension"
SCHEMAS = f"SELECT nspname AS name FROM pg_namespace namespace WHERE {_OWN}"
# The counters begin at the last reset, or when the server had to forget them; it says neither before a first reset.
# The server counts scans and rows, of which one statement may make thousands. No more transactions use a table than
# there are, so that is the most that can begin to wait.
TRAFFIC = """
SELECT relid AS relation, least(seq_scan + coalesce(idx_scan, 0), xact_commit + xact_rollback) AS reads,
  least(n_tup_ins + n_tup_upd + n_tup_del, xact_commit + xact_rollback) AS writes,
  extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time()))::float8 AS seconds
FROM pg_stat_user_tables, pg_stat_database WHERE datname = current_database()
"""
ON_DISK = """
SELECT oid, pg_table_size(oid), pg_indexes_size(oid) FROM unnest(%s::oid[]) oid
"""
# What the role that will act sees: "$user" in a search path is another schema for each. A schema of the path that is
# not there yet may be made by a script, and then bare names mean others.
SESSION = """
SELECT pg_catalog.current_setting('TimeZone') AS time_zone,
  pg_catalog.current_schemas(false)::pg_catalog.text[] AS path,
  pg_catalog.current_setting('search_path') AS written, current_user::pg_catalog.text AS acting
"""


def read_schema(opened: Session, *, as_role: str = "") -> Schema:
    """Return the schema of a target with sizes and traffic. Reads catalogues only, never a table.

    `as_role` is the role that scripts run as, if it is another than that of the session.

    Called inside a transaction; leaves the search path as it was. What the server counts may be behind: sizes are those
    of the last VACUUM or ANALYZE.
    """
    session, doubts = _session(opened, as_role)
    with opened.transaction(force_rollback=True):  # undoes the search path
        opened.execute("SET LOCAL search_path = pg_catalog")
        found = rows.Catalogue(
            relations=_measured(opened, _rows(opened, RELATIONS)),
            columns=_rows(opened, COLUMNS),
            constraints=_rows(opened, CONSTRAINTS),
            indexes=_rows(opened, INDEXES),
            reads=_rows(opened, READS),
            owners=_rows(opened, OWNERS),
            triggers=_rows(opened, TRIGGERS),
            rules=_rows(opened, RULES),
            policies=_rows(opened, POLICIES),
            traffic=_rows(opened, TRAFFIC),
            types=_rows(opened, TYPES),
            functions=_rows(opened, FUNCTIONS),
        )
        names = {query: frozenset(one["name"] for one in _rows(opened, query)) for query in (EXTENSIONS, SCHEMAS)}
    schema = rows.schema_of(found)
    return replace(
        schema,
        extensions=names[EXTENSIONS],
        schemas=names[SCHEMAS],
        time_zone=session["time_zone"],
        usual_time_zone=session["time_zone"],
        path=tuple(session["path"]),
        usual_path=tuple(session["path"]),
        is_complete=True,
        doubts=doubts,
    )


def _rows(opened: Session, query: str) -> list[dict[str, Any]]:
    cursor = opened.execute(query)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _measured(opened: Session, relations: list[rows.Row]) -> list[rows.Row]:
    """Return the relations, those that the server never counted with their size on the disk; None where locked.

    Below zero rows means: nobody ever counted, and the pages in the catalogue are none, whatever lies on the disk.
    """
    uncounted = [one["oid"] for one in relations if one["rows"] < 0 and one["kind"] in {"r", "m"}]
    found: dict[int, tuple[int | None, int | None]] = dict.fromkeys(uncounted, (None, None))
    if uncounted:
        with suppress(psycopg.errors.LockNotAvailable), opened.transaction(force_rollback=True):
            opened.execute("SET LOCAL lock_timeout = '200ms'")
            found |= {oid: (size, indexes) for oid, size, indexes in opened.execute(ON_DISK, [uncounted])}
    return [
        one | dict(zip(("bytes", "index_bytes"), found[one["oid"]], strict=True)) if one["oid"] in found else one
        for one in relations
    ]


def _session(opened: Session, as_role: str) -> tuple[rows.Row, tuple[str, ...]]:
    """Return what the role that acts sees, with the doubts about what a bare name means to it."""
    try:
        with opened.transaction(force_rollback=True):  # undoes the role
            if as_role:
                opened.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(as_role)))
            (session,) = _rows(opened, SESSION)
    except psycopg.errors.InsufficientPrivilege:
        (session,) = _rows(opened, SESSION)
        return session, (f"the role {as_role} could not be taken, and bare names may mean others to it",)
    written = [unqualified(part) for part in _IN_PATH.findall(session["written"])]
    absent = [name for name in written if name not in {*session["path"], "$user", "pg_catalog", "pg_temp"}]
    return session, tuple(f"schema {name} of the search path is not there yet" for name in absent)


_IN_PATH = re.compile(r'"(?:[^"]|"")*"|[^",\s]+')
