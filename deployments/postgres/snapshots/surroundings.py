"""The catalogue queries for what belongs to a database as a whole: schemas, extensions, rights, replication."""

from deployments.postgres.snapshots.scope import FIRST_OF_USERS, OWN, Objects, Pieces, name, no_member

SCHEMAS = Objects(
    "pg_namespace",
    f"""
SELECT namespace.oid, 'schema ' || {name("nspname")} AS key, pg_get_userbyid(nspowner) AS owner, nspacl::text[] AS acl
FROM pg_namespace namespace WHERE {OWN} AND {no_member("pg_namespace", "namespace.oid")}
""",
    kind="n",
)
EXTENSIONS = Objects(
    "pg_extension",
    """
SELECT entry.oid, 'extension ' || extname AS key, extversion AS version, extnamespace::regnamespace::text AS schema
FROM pg_extension entry
""",
)
LANGUAGES = Objects(
    "pg_language",
    f"""
SELECT entry.oid, 'language ' || lanname AS key, pg_get_userbyid(lanowner) AS owner, lanacl::text[] AS acl,
  lanpltrusted AS trusted, lanplcallfoid::regproc::text AS handler, laninline::regproc::text AS inline,
  lanvalidator::regproc::text AS validator
FROM pg_language entry WHERE entry.oid >= {FIRST_OF_USERS} AND {no_member("pg_language", "entry.oid")}
""",
    kind="l",
)
ACCESS_METHODS = Objects(
    "pg_am",
    f"""
SELECT entry.oid, 'access method ' || amname AS key, amhandler::regproc::text AS handler, amtype AS kind
FROM pg_am entry WHERE entry.oid >= {FIRST_OF_USERS} AND {no_member("pg_am", "entry.oid")}
""",
)
EVENT_TRIGGERS = Objects(
    "pg_event_trigger",
    f"""
SELECT entry.oid, 'event trigger ' || evtname AS key, pg_get_userbyid(evtowner) AS owner, evtevent AS event,
  evtfoid::regprocedure::text AS function, evttags AS tags,
  CASE evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END AS fires
FROM pg_event_trigger entry JOIN pg_proc code ON code.oid = evtfoid
JOIN pg_namespace namespace ON namespace.oid = code.pronamespace
WHERE {no_member("pg_event_trigger", "entry.oid")} AND namespace.nspname <> 'locktender'
""",
)
WRAPPERS = Objects(
    "pg_foreign_data_wrapper",
    f"""
SELECT entry.oid, 'foreign data wrapper ' || fdwname AS key, pg_get_userbyid(fdwowner) AS owner,
  fdwacl::text[] AS acl, nullif(fdwhandler, 0)::regproc::text AS handler,
  nullif(fdwvalidator, 0)::regproc::text AS validator, fdwoptions AS options
FROM pg_foreign_data_wrapper entry WHERE {no_member("pg_foreign_data_wrapper", "entry.oid")}
""",
    kind="F",
)
SERVERS = Objects(
    "pg_foreign_server",
    f"""
SELECT entry.oid, 'server ' || srvname AS key, pg_get_userbyid(srvowner) AS owner, srvacl::text[] AS acl,
  (SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid = srvfdw) AS wrapper, srvtype AS type, srvversion AS version,
  srvoptions AS options
FROM pg_foreign_server entry WHERE {no_member("pg_foreign_server", "entry.oid")}
""",
    kind="S",
)
USER_MAPPINGS = Objects(
    "pg_user_mapping",
    "SELECT umid AS oid, 'user mapping ' || usename || ' at ' || srvname AS key, true AS exists FROM pg_user_mappings",
)
PUBLICATIONS = Objects(
    "pg_publication",
    f"""
SELECT entry.oid, 'publication ' || pubname AS key, pg_get_userbyid(pubowner) AS owner,
  to_jsonb(entry) - '{{oid,pubname,pubowner}}'::text[] AS publishes
FROM pg_publication entry WHERE {no_member("pg_publication", "entry.oid")}
""",
)
PUBLISHED_BEFORE_15 = Pieces(
    "tables",
    "pg_publication_rel",
    "pg_publication",
    "SELECT oid, prpubid AS of, prrelid::regclass::text AS name, true AS published FROM pg_publication_rel",
)
PUBLISHED = Pieces(
    "tables",
    "pg_publication_rel",
    "pg_publication",
    """
SELECT entry.oid, prpubid AS of, prrelid::regclass::text AS name, true AS published,
  pg_get_expr(prqual, prrelid) AS where,
  (SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
    WHERE attrelid = prrelid AND attnum = ANY(prattrs)) AS columns
FROM pg_publication_rel entry
""",
    since=150000,
)
PUBLISHED_SCHEMAS = Pieces(
    "schemas",
    "pg_publication_namespace",
    "pg_publication",
    "SELECT oid, pnpubid AS of, pnnspid::regnamespace::text AS name, true AS published FROM pg_publication_namespace",
    since=150000,
)
# The address of a subscription has a password in it, and only superusers may read it.
SUBSCRIPTIONS = Objects(
    "pg_subscription",
    """
SELECT entry.oid, 'subscription ' || subname AS key, pg_get_userbyid(subowner) AS owner, subenabled AS enabled,
  subbinary AS binary, substream AS streaming, subslotname AS slot, subsynccommit AS "synchronous commit",
  subpublications AS publications
FROM pg_subscription entry WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
""",
)
DEFAULT_PRIVILEGES = Objects(
    "pg_default_acl",
    """
SELECT entry.oid, 'default privileges of ' || pg_get_userbyid(defaclrole)
    || coalesce(' in schema ' || nullif(defaclnamespace, 0)::regnamespace, '') || ' on '
    || CASE defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
       WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects' ELSE defaclobjtype::text END AS key,
  pg_get_userbyid(defaclrole) AS "acl owner", defaclacl::text[] AS acl, true AS declared,
  CASE WHEN defaclnamespace = 0 THEN CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END END AS "acl kind"
FROM pg_default_acl entry
""",
    kind="-",
)
DATABASE = Objects(
    "pg_database",
    """
SELECT entry.oid, 'database itself' AS key, pg_get_userbyid(datdba) AS owner, datacl::text[] AS acl,
  nullif(datconnlimit, -1) AS "connection limit", pg_encoding_to_char(encoding) AS encoding, datcollate AS collation,
  datctype AS "character type"
FROM pg_database entry WHERE datname = current_database()
""",
    kind="d",
)
SETTINGS = Pieces(
    "settings",
    "pg_db_role_setting",
    "pg_database",
    """
SELECT 0 AS oid, setdatabase AS of,
  CASE setrole WHEN 0 THEN 'of everybody' ELSE 'of ' || pg_get_userbyid(setrole) END AS name,
  setconfig AS "settings options"
FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
""",
)
# A command can give and take rights on what the server or an extension made. What they had at first is no change.
RIGHTS_ELSEWHERE = f"""
SELECT 'grants on ' || what || ' ' || identity AS key, owner, kind, acl::text[] AS acl,
  coalesce(first::text[], CASE WHEN nspname = 'information_schema' AND what IN ('relation', 'schema') THEN
    acldefault(kind::"char", namespace.nspowner)::text[]
      || ('=' || CASE what WHEN 'schema' THEN 'U' ELSE 'r' END || '/' || owner)
  END) AS first
FROM (
  SELECT 'function' AS what, entry.oid::regprocedure::text AS identity, pg_get_userbyid(proowner) AS owner,
    'f' AS kind, proacl AS acl, pronamespace AS schema, 'pg_proc'::regclass AS class, entry.oid, initprivs AS first
  FROM pg_proc entry
  LEFT JOIN pg_init_privs had ON objoid = entry.oid AND classoid = 'pg_proc'::regclass AND objsubid = 0
  WHERE proacl IS NOT NULL AND proacl IS DISTINCT FROM initprivs
  UNION ALL
  SELECT 'relation', entry.oid::regclass::text, pg_get_userbyid(relowner),
    CASE relkind WHEN 'S' THEN 's' ELSE 'r' END, relacl, relnamespace, 'pg_class'::regclass, entry.oid, initprivs
  FROM pg_class entry
  LEFT JOIN pg_init_privs had ON objoid = entry.oid AND classoid = 'pg_class'::regclass AND objsubid = 0
  WHERE relacl IS NOT NULL AND relacl IS DISTINCT FROM initprivs AND relkind NOT IN ('i', 'I', 't')
  UNION ALL
  SELECT 'type', entry.oid::regtype::text, pg_get_userbyid(typowner), 'T', typacl, typnamespace, 'pg_type'::regclass,
    entry.oid, initprivs
  FROM pg_type entry
  LEFT JOIN pg_init_privs had ON objoid = entry.oid AND classoid = 'pg_type'::regclass AND objsubid = 0
  WHERE typacl IS NOT NULL AND typacl IS DISTINCT FROM initprivs
  UNION ALL
  SELECT 'language', lanname, pg_get_userbyid(lanowner), 'l', lanacl, NULL, 'pg_language'::regclass, entry.oid,
    initprivs
  FROM pg_language entry
  LEFT JOIN pg_init_privs had ON objoid = entry.oid AND classoid = 'pg_language'::regclass AND objsubid = 0
  WHERE lanacl IS NOT NULL AND lanacl IS DISTINCT FROM initprivs
  UNION ALL
  SELECT 'schema', nspname, pg_get_userbyid(nspowner), 'n', nspacl, entry.oid, 'pg_namespace'::regclass, entry.oid,
    initprivs
  FROM pg_namespace entry
  LEFT JOIN pg_init_privs had ON objoid = entry.oid AND classoid = 'pg_namespace'::regclass AND objsubid = 0
  WHERE nspacl IS NOT NULL AND nspacl IS DISTINCT FROM initprivs
) changed LEFT JOIN pg_namespace namespace ON namespace.oid = changed.schema
WHERE namespace.nspname !~ '^(pg_temp|pg_toast|locktender$)' IS NOT FALSE
  AND (NOT ({OWN}) OR namespace.oid IS NULL AND changed.oid < {FIRST_OF_USERS}
       OR EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = changed.oid AND deptype = 'e'))
"""

OBJECTS = (
    SCHEMAS, EXTENSIONS, LANGUAGES, ACCESS_METHODS, EVENT_TRIGGERS, WRAPPERS, SERVERS, USER_MAPPINGS, PUBLICATIONS,
    SUBSCRIPTIONS, DEFAULT_PRIVILEGES, DATABASE,
)  # fmt: skip
PIECES = (PUBLISHED_BEFORE_15, PUBLISHED, PUBLISHED_SCHEMAS, SETTINGS)  # the newer tells more, and is read later
