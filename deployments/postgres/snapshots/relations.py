"""The catalogue queries for relations and what they consist of."""

from deployments.postgres.snapshots.scope import FIRST_OF_USERS, OWN, Objects, Pieces, name, no_member

_OURS = f"{OWN} AND {no_member('pg_class', 'relation.oid')}"
# Pieces of what is not ours are left out when they are put together: here it is enough to leave out the server's own.
_OF_OURS = f"JOIN pg_class relation ON relation.oid = {{0}} WHERE relation.oid >= {FIRST_OF_USERS}"

RELATIONS = Objects(
    "pg_class",
    f"""
SELECT relation.oid, CASE relation.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
    WHEN 'S' THEN 'sequence ' WHEN 'c' THEN 'type ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END
    || {name("namespace.nspname")} || '.' || {name("relation.relname")} AS key,
  pg_get_userbyid(relation.relowner) AS owner, relation.relacl::text[] AS acl, own_type.typacl::text[] AS "type acl",
  CASE relation.relkind WHEN 'S' THEN 's' ELSE 'r' END AS "acl kind", relation.reltype AS "row type",
  CASE relation.relkind WHEN 'p' THEN 'partitioned' WHEN 'c' THEN 'composite' END AS kind,
  CASE relation.relpersistence WHEN 'u' THEN true END AS unlogged, relation.reloptions AS options,
  long_values.reloptions AS "toast options", relation.relrowsecurity AS "row security",
  relation.relforcerowsecurity AS "forced row security",
  CASE relation.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END
    AS "replica identity",
  space.spcname AS tablespace, nullif(method.amname, 'heap') AS "access method",
  CASE WHEN relation.relkind = 'p' THEN pg_get_partkeydef(relation.oid) END AS "partition key",
  pg_get_expr(relation.relpartbound, relation.oid) AS bound,
  CASE WHEN relation.relkind IN ('v', 'm') THEN pg_get_viewdef(relation.oid) END AS view,
  relation.relkind = 'm' AND NOT relation.relispopulated AS unpopulated,
  CASE WHEN relation.reloftype <> 0 THEN relation.reloftype::regtype::text END AS "of type",
  format_type(seqtypid, NULL) AS type, seqstart AS start, seqincrement AS increment, seqmin AS minimum,
  seqmax AS maximum, seqcache AS cache, seqcycle AS cycle,
  server.srvname AS server, ftoptions AS "foreign options"
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_class long_values ON long_values.oid = relation.reltoastrelid
LEFT JOIN pg_type own_type ON own_type.oid = relation.reltype
LEFT JOIN pg_tablespace space ON space.oid = relation.reltablespace
LEFT JOIN pg_am method ON method.oid = relation.relam
LEFT JOIN pg_sequence ON seqrelid = relation.oid
LEFT JOIN pg_foreign_table ON ftrelid = relation.oid LEFT JOIN pg_foreign_server server ON server.oid = ftserver
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {_OURS}
""",
    kind="r",
)

COLUMNS = Pieces(
    "columns",
    "pg_attribute",
    "pg_class",
    f"""
SELECT part.attnum AS oid, part.attrelid AS of, part.attname AS name,
  format_type(part.atttypid, part.atttypmod) AS type, part.attnotnull AS "not null",
  pg_get_expr(adbin, adrelid) AS default, part.attacl::text[] AS acl, part.attoptions AS options,
  part.attfdwoptions AS "foreign options",
  CASE WHEN part.attidentity <> '' OR part.attgenerated <> '' OR part.attcollation <> kind.typcollation
      OR part.attstorage <> kind.typstorage OR part.attcompression <> '' OR part.attstattarget >= 0
      OR NOT part.attislocal
    THEN jsonb_strip_nulls(jsonb_build_object(
      'identity', CASE part.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
      'generated', CASE part.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
      'collation', CASE WHEN part.attcollation <> kind.typcollation THEN part.attcollation::regcollation END,
      'storage', CASE WHEN part.attstorage <> kind.typstorage THEN CASE part.attstorage WHEN 'p' THEN 'plain'
        WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END,
      'compression', CASE part.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
      'statistics target', nullif(part.attstattarget, -1),
      'only inherited', nullif(NOT part.attislocal AND NOT relation.relispartition, false))) END AS more
FROM pg_attribute part JOIN pg_type kind ON kind.oid = part.atttypid
LEFT JOIN pg_attrdef ON adrelid = part.attrelid AND adnum = part.attnum
{_OF_OURS.format("part.attrelid")}
  AND relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND part.attnum > 0 AND NOT part.attisdropped
ORDER BY part.attrelid, part.attnum
""",
)
# Where NOT NULL is a constraint (18), it is an aspect of the column; only one that is special is told beside it.
CONSTRAINTS = Pieces(
    "constraints",
    "pg_constraint",
    "pg_class",
    f"""
SELECT rule.oid, rule.conrelid AS of, rule.conname AS name, pg_get_constraintdef(rule.oid) AS definition,
  NOT rule.convalidated AS "not validated", NOT rule.conislocal AND NOT relation.relispartition AS "only inherited"
FROM pg_constraint rule LEFT JOIN pg_constraint parent ON parent.oid = rule.conparentid
{_OF_OURS.format("rule.conrelid")} AND rule.contype <> 't'
  AND (rule.contype <> 'n' OR NOT rule.convalidated OR rule.connoinherit)
  AND parent.conrelid IS DISTINCT FROM rule.conrelid -- a foreign key has one of these for each partition it leads to
""",
)
# ALTER TABLE ... DISABLE TRIGGER ALL takes the triggers that enforce a foreign key, on either of its tables.
ENFORCING = """
SELECT tgconstraint AS oid,
  string_agg(DISTINCT tgrelid::regclass || ' ' || tgenabled::text, ', ') AS "switched triggers"
FROM pg_trigger WHERE tgenabled <> 'O' AND tgisinternal AND tgconstraint <> 0 GROUP BY 1
"""
# The index of a constraint is as the constraint says; what it says costs as much again.
INDEXES = Pieces(
    "indexes",
    "pg_class",
    "pg_class",
    f"""
SELECT indexrelid AS oid, indrelid AS of, entry.relname AS name,
  CASE WHEN conname IS NULL THEN pg_get_indexdef(indexrelid) END AS definition, conname AS "of constraint",
  NOT indisvalid AS invalid, NOT indisready AS "not ready", indisclustered AS "clustered on",
  indisreplident AS "replica identity", space.spcname AS tablespace
FROM pg_index JOIN pg_class entry ON entry.oid = indexrelid
LEFT JOIN pg_constraint ON conindid = indexrelid AND conrelid = indrelid AND contype IN ('p', 'u', 'x')
LEFT JOIN pg_tablespace space ON space.oid = entry.reltablespace
{_OF_OURS.format("indrelid")} AND relation.relkind <> 't'
""",
)
INDEX_TARGETS = """
SELECT attrelid AS oid, string_agg(attnum || ': ' || attstattarget, ', ' ORDER BY attnum) AS "statistics targets"
FROM pg_attribute JOIN pg_index ON indexrelid = attrelid WHERE attstattarget >= 0 AND attrelid >= 16384 GROUP BY 1
"""
TRIGGERS = Pieces(
    "triggers",
    "pg_trigger",
    "pg_class",
    f"""
SELECT entry.oid, tgrelid AS of, tgname AS name, pg_get_triggerdef(entry.oid) AS definition,
  CASE tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END AS fires
FROM pg_trigger entry {_OF_OURS.format("tgrelid")} AND NOT tgisinternal
""",
)
RULES = Pieces(
    "rules",
    "pg_rewrite",
    "pg_class",
    f"""
SELECT entry.oid, ev_class AS of, rulename AS name, pg_get_ruledef(entry.oid) AS definition,
  CASE ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END AS fires
FROM pg_rewrite entry {_OF_OURS.format("ev_class")} AND rulename <> '_RETURN'
""",
)
STATISTICS = Pieces(
    "statistics",
    "pg_statistic_ext",
    "pg_class",
    f"""
SELECT entry.oid, stxrelid AS of, stxname AS name, pg_get_statisticsobjdef(entry.oid) AS definition,
  pg_get_userbyid(stxowner) AS owner, nullif(stxstattarget, -1) AS "statistics target"
FROM pg_statistic_ext entry {_OF_OURS.format("stxrelid")}
""",
)
POLICIES = Pieces(
    "policies",
    "pg_policy",
    "pg_class",
    f"""
SELECT entry.oid, polrelid AS of, polname AS name,
  CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END
    AS command,
  NOT polpermissive AS restrictive,
  (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role) END, ', ' ORDER BY 1)
     FROM unnest(polroles) role) AS roles,
  pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS "with check"
FROM pg_policy entry {_OF_OURS.format("polrelid")}
""",
)
OWNED_BY = """
SELECT seqrelid AS oid, refobjid::regclass || '.' || attname AS "owned by"
FROM pg_sequence JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = seqrelid
  AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
"""
PARENTS = """
SELECT inhrelid AS oid, string_agg(inhparent::regclass || CASE WHEN inhdetachpending THEN ', detaching' ELSE '' END,
    ', ' ORDER BY inhseqno) AS parents
FROM pg_inherits GROUP BY 1
"""

OBJECTS = (RELATIONS,)
PIECES = (COLUMNS, CONSTRAINTS, INDEXES, TRIGGERS, RULES, STATISTICS, POLICIES)
ADDITIONS = (
    ("pg_class", PARENTS),
    ("pg_class", OWNED_BY),
    ("pg_constraint", ENFORCING),
    ("pg_class", INDEX_TARGETS),
)
"""Aspects of what is there already, by its oid: few have them."""
