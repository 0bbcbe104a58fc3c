"""The catalogue queries for functions, types, operators and text search."""

from deployments.postgres.snapshots.scope import FIRST_OF_USERS, OWN, Objects, Pieces, name, no_member


def _in_schema(catalogue: str, prefix: str, key: str, parts: str, *, more: str = "", kind: str = "") -> Objects:
    """Return the query for objects that live in a schema and have the usual columns."""
    return Objects(
        catalogue,
        f"""
SELECT entry.oid, '{key} ' || {name("namespace.nspname")} || '.' || {name(f"{prefix}name")} AS key,
  pg_get_userbyid({prefix}owner) AS owner, {parts}
FROM {catalogue} entry JOIN pg_namespace namespace ON namespace.oid = {prefix}namespace
WHERE {OWN} AND {no_member(catalogue, "entry.oid")} {more}
""",
        kind=kind,
    )


ROUTINES = Objects(
    "pg_proc",
    f"""
SELECT entry.oid, CASE prokind WHEN 'a' THEN 'aggregate ' WHEN 'p' THEN 'procedure ' ELSE 'function ' END
    || {name("namespace.nspname")} || '.' || {name("proname")}
    || '(' || pg_get_function_identity_arguments(entry.oid) || ')' AS key,
  pg_get_userbyid(proowner) AS owner, proacl::text[] AS acl,
  CASE WHEN prokind <> 'a' THEN pg_get_functiondef(entry.oid) END AS definition,
  CASE WHEN prokind = 'a' THEN (SELECT jsonb_strip_nulls(jsonb_build_object(
      'function', aggtransfn::regproc, 'state', format_type(aggtranstype, NULL), 'initial', agginitval,
      'final', nullif(aggfinalfn::oid, 0)::regproc, 'combine', nullif(aggcombinefn::oid, 0)::regproc,
      'serial', nullif(aggserialfn::oid, 0)::regproc, 'deserial', nullif(aggdeserialfn::oid, 0)::regproc,
      'moving', nullif(aggmtransfn::oid, 0)::regproc, 'moving inverse', nullif(aggminvtransfn::oid, 0)::regproc,
      'moving final', nullif(aggmfinalfn::oid, 0)::regproc, 'moving initial', aggminitval,
      'moving state', CASE WHEN aggmtranstype <> 0 THEN format_type(aggmtranstype, NULL) END,
      'sort operator', nullif(aggsortop, 0)::regoperator, 'kind', aggkind, 'direct arguments', aggnumdirectargs,
      'final modifies', aggfinalmodify, 'final extra', aggfinalextra, 'parallel', proparallel, 'space', aggtransspace))
    FROM pg_aggregate WHERE aggfnoid = entry.oid) END AS aggregate,
  CASE WHEN prokind = 'a' THEN pg_get_function_result(entry.oid) END AS returns
FROM pg_proc entry JOIN pg_namespace namespace ON namespace.oid = pronamespace
WHERE {OWN} AND {no_member("pg_proc", "entry.oid")}
""",
    kind="f",
)
TYPES = _in_schema(
    "pg_type",
    "typ",
    "type",
    """typacl::text[] AS acl,
  CASE typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' WHEN 'p' THEN 'shell' ELSE 'base' END
    AS kind,
  CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) END AS base, typnotnull AS "not null", typdefault AS
  default, CASE WHEN typtype = 'd' AND typcollation <> (SELECT typcollation FROM pg_type WHERE oid = entry.typbasetype)
    THEN typcollation::regcollation::text END AS collation,
  (SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = entry.oid) AS labels,
  (SELECT jsonb_strip_nulls(jsonb_build_object('subtype', rngsubtype::regtype, 'multirange', rngmultitypid::regtype,
      'class', (SELECT opcnamespace::regnamespace || '.' || opcname FROM pg_opclass WHERE oid = rngsubopc),
      'collation', nullif(rngcollation, 0)::regcollation, 'canonical', nullif(rngcanonical::oid, 0)::regproc,
      'difference', nullif(rngsubdiff::oid, 0)::regproc)) FROM pg_range WHERE rngtypid = entry.oid) AS range,
  CASE WHEN typtype = 'b' THEN jsonb_build_object('length', typlen, 'by value', typbyval, 'category', typcategory,
      'preferred', typispreferred, 'delimiter', typdelim, 'input', typinput, 'output', typoutput, 'receive',
      typreceive, 'send', typsend, 'modifiers in', typmodin, 'modifiers out', typmodout, 'analyze', typanalyze,
      'alignment', typalign, 'storage', typstorage, 'subscript', typsubscript, 'element', typelem::regtype) END
    AS implementation""",
    more="""AND (typtype IN ('e', 'd', 'r', 'p')
    OR typtype = 'b' AND typsubscript <> 'array_subscript_handler'::regproc)""",
    kind="T",
)
DOMAIN_CONSTRAINTS = Pieces(
    "constraints",
    "pg_constraint",
    "pg_type",
    f"""
SELECT entry.oid, contypid AS of, conname AS name, pg_get_constraintdef(entry.oid) AS definition,
  NOT convalidated AS "not validated"
FROM pg_constraint entry JOIN pg_type kind ON kind.oid = contypid
JOIN pg_namespace namespace ON namespace.oid = typnamespace
WHERE contype <> 'n' AND {OWN} AND {no_member("pg_type", "contypid")}
""",
)
OPERATORS = Objects(
    "pg_operator",
    f"""
SELECT entry.oid, 'operator ' || {name("namespace.nspname")} || '.' || oprname
    || '(' || coalesce(nullif(oprleft, 0)::regtype::text, 'NONE') || ', ' || oprright::regtype || ')' AS key,
  pg_get_userbyid(oprowner) AS owner, oprcode::regprocedure::text AS function, oprresult::regtype::text AS returns,
  nullif(oprcom, 0)::regoperator::text AS commutator, nullif(oprnegate, 0)::regoperator::text AS negator,
  nullif(oprrest::oid, 0)::regproc::text AS restrict, nullif(oprjoin::oid, 0)::regproc::text AS join,
  oprcanhash AS hashes, oprcanmerge AS merges
FROM pg_operator entry JOIN pg_namespace namespace ON namespace.oid = oprnamespace
WHERE oprcode <> 0 AND {OWN} AND {no_member("pg_operator", "entry.oid")}
""",
)
FAMILIES = _in_schema(
    "pg_opfamily",
    "opf",
    "operator family",
    """(SELECT amname FROM pg_am WHERE oid = opfmethod) AS "access method",
  (SELECT array_agg(amopstrategy || ' ' || amopopr::regoperator || coalesce(' ordered by '
      || nullif(amopsortfamily, 0)::text, '') ORDER BY amopstrategy, amopopr::regoperator::text)
    FROM pg_amop WHERE amopfamily = entry.oid) AS operators,
  (SELECT array_agg(amprocnum || ' ' || amproc::regprocedure || ' for ' || amproclefttype::regtype || ', '
      || amprocrighttype::regtype ORDER BY amprocnum, amproclefttype::regtype::text, amprocrighttype::regtype::text)
    FROM pg_amproc WHERE amprocfamily = entry.oid) AS functions""",
)
CLASSES = _in_schema(
    "pg_opclass",
    "opc",
    "operator class",
    """(SELECT amname FROM pg_am WHERE oid = opcmethod) AS "access method", opcintype::regtype::text AS type,
  (SELECT opfnamespace::regnamespace || '.' || opfname FROM pg_opfamily WHERE oid = opcfamily) AS family,
  opcdefault AS default, nullif(opckeytype, 0)::regtype::text AS key""",
)
# Which keys these catalogues have changes with the releases; two of one major are compared.
COLLATIONS = _in_schema(
    "pg_collation",
    "coll",
    "collation",
    "to_jsonb(entry) - '{oid,collname,collnamespace,collowner,collversion}'::text[] AS implementation",
)
CONVERSIONS = _in_schema(
    "pg_conversion",
    "con",
    "conversion",
    """pg_encoding_to_char(conforencoding) AS from, pg_encoding_to_char(contoencoding) AS to,
  conproc::regproc::text AS function, condefault AS default""",
)
CONFIGURATIONS = _in_schema(
    "pg_ts_config",
    "cfg",
    "text search configuration",
    """(SELECT prsnamespace::regnamespace || '.' || prsname FROM pg_ts_parser WHERE oid = cfgparser) AS parser,
  (SELECT jsonb_object_agg(alias, dictionaries) FROM (
      SELECT alias, jsonb_agg(mapdict::regdictionary::text ORDER BY mapseqno) dictionaries
      FROM pg_ts_config_map JOIN ts_token_type(cfgparser) ON tokid = maptokentype
      WHERE mapcfg = entry.oid GROUP BY alias) mapped) AS mappings""",
)
DICTIONARIES = _in_schema(
    "pg_ts_dict",
    "dict",
    "text search dictionary",
    """(SELECT tmplnamespace::regnamespace || '.' || tmplname FROM pg_ts_template WHERE oid = dicttemplate) AS template,
  dictinitoption AS initial""",
)
# Parsers and templates have no owner: superusers make them.
PARSERS = Objects(
    "pg_ts_parser",
    f"""
SELECT entry.oid, 'text search parser ' || {name("namespace.nspname")} || '.' || {name("prsname")} AS key,
  array[prsstart, prstoken, prsend, prsheadline, prslextype]::text AS functions
FROM pg_ts_parser entry JOIN pg_namespace namespace ON namespace.oid = prsnamespace
WHERE {OWN} AND {no_member("pg_ts_parser", "entry.oid")}
""",
)
TEMPLATES = Objects(
    "pg_ts_template",
    f"""
SELECT entry.oid, 'text search template ' || {name("namespace.nspname")} || '.' || {name("tmplname")} AS key,
  array[tmplinit, tmpllexize]::text AS functions
FROM pg_ts_template entry JOIN pg_namespace namespace ON namespace.oid = tmplnamespace
WHERE {OWN} AND {no_member("pg_ts_template", "entry.oid")}
""",
)
CASTS = Objects(
    "pg_cast",
    f"""
SELECT entry.oid, 'cast (' || castsource::regtype || ' as ' || casttarget::regtype || ')' AS key,
  nullif(castfunc, 0)::regprocedure::text AS function, castcontext AS context, castmethod AS method
FROM pg_cast entry WHERE entry.oid >= {FIRST_OF_USERS} AND {no_member("pg_cast", "entry.oid")}
""",
)
TRANSFORMS = Objects(
    "pg_transform",
    f"""
SELECT entry.oid, 'transform for ' || trftype::regtype || ' in ' || lanname AS key,
  trffromsql::regproc::text AS from, trftosql::regproc::text AS to
FROM pg_transform entry JOIN pg_language ON pg_language.oid = trflang
WHERE entry.oid >= {FIRST_OF_USERS} AND {no_member("pg_transform", "entry.oid")}
""",
)

OBJECTS = (
    ROUTINES, TYPES, OPERATORS, FAMILIES, CLASSES, COLLATIONS, CONVERSIONS, CONFIGURATIONS, DICTIONARIES, PARSERS,
    TEMPLATES, CASTS, TRANSFORMS,
)  # fmt: skip
PIECES = (DOMAIN_CONSTRAINTS,)
