"""What the catalogue shows of the aim of a statement: one question per kind, nothing is judged here."""

from collections.abc import Mapping
from typing import Any

import psycopg

from checks.outside import (
    Aim,
    Built,
    Configured,
    Detached,
    Found,
    Gone,
    IndexBuilt,
    Moved,
    Rebuilt,
    Remains,
    Scope,
    Thing,
)
from deployments.postgres.alone.comparing import differences_of
from deployments.postgres.connect import Session

# By name in the schema that is written, or where the search path finds the table or the index itself.
_INDEX = """
SELECT indexrelid::bigint, indisvalid AND indisready, nspname::text, indrelid::bigint,
       indrelid = to_regclass(%(table)s) IS NOT FALSE
FROM pg_index entry JOIN pg_class class ON class.oid = indexrelid
JOIN pg_namespace space ON space.oid = class.relnamespace
WHERE class.relname = %(name)s AND class.relnamespace = coalesce(
 (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s),
 (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(quote_ident(%(found_by)s))))
"""
# Every index that REINDEX CONCURRENTLY makes anew, those of TOAST tables too, and what it may leave on their tables.
# It passes over exclusion constraints, invalid indexes and the system's own tables.
_REBUILT = """
WITH named AS (
    SELECT entry.indexrelid, entry.indrelid FROM pg_index entry
    JOIN pg_class class ON class.oid = entry.indrelid JOIN pg_namespace space ON space.oid = class.relnamespace
    WHERE class.relpersistence <> 't' AND {scope}
), within AS (
    SELECT * FROM named UNION
    SELECT entry.indexrelid, entry.indrelid FROM named
    JOIN pg_class owner ON owner.oid = named.indrelid JOIN pg_index entry ON entry.indrelid = owner.reltoastrelid
    WHERE {with_toast}
)
SELECT entry.indexrelid::bigint, space.nspname::text, class.relname::text,
       entry.indisvalid AND class.relkind = 'i' AND NOT entry.indisexclusion
         AND entry.indexrelid IN (SELECT indexrelid FROM within),
       NOT entry.indisvalid AND class.relname ~ '_cc(new|old)[0-9]*$'
FROM pg_index entry JOIN pg_class class ON class.oid = entry.indexrelid
JOIN pg_namespace space ON space.oid = class.relnamespace
WHERE entry.indrelid IN (SELECT indrelid FROM within)
"""
# The tree of what has no partitions, and is none, is empty.
_TREE = "SELECT to_regclass(%(name)s) UNION SELECT relid FROM pg_partition_tree(to_regclass(%(name)s))"
_SCOPES = {
    Scope.INDEX: f"entry.indexrelid IN ({_TREE})",
    Scope.TABLE: f"entry.indrelid IN ({_TREE})",
    Scope.SCHEMA: "space.nspname = %(bare)s",
    Scope.DATABASE: "space.nspname NOT IN ('pg_catalog', 'information_schema') AND space.nspname NOT LIKE 'pg_toast%%'",
}
_DETACHED = """
SELECT to_regclass(%(table)s) IS NOT NULL AND to_regclass(%(partition)s) IS NOT NULL,
       to_regclass(%(partition)s)::oid::bigint, inhdetachpending,
       (SELECT nspname::text FROM pg_class class JOIN pg_namespace space ON space.oid = relnamespace
         WHERE class.oid = to_regclass(%(partition)s)),
       (SELECT relname::text FROM pg_class WHERE oid = to_regclass(%(partition)s))
FROM (SELECT) nothing
LEFT JOIN pg_inherits ON inhparent = to_regclass(%(table)s) AND inhrelid = to_regclass(%(partition)s)
"""
# What of each can be named by the statement and is shown by the catalogue. 15.4 and later call a database that was
# half dropped invalid, by its limit of connections.
_THINGS = {
    Thing.DATABASE: """
SELECT entry.oid::bigint, datconnlimit <> -2, pg_get_userbyid(datdba)::text AS owner,
       pg_encoding_to_char(encoding)::text AS encoding, spcname::text AS tablespace
FROM pg_database entry JOIN pg_tablespace space ON space.oid = dattablespace WHERE datname = %s""",
    Thing.TABLESPACE: """
SELECT oid::bigint, true, pg_get_userbyid(spcowner)::text AS owner, pg_tablespace_location(oid) AS location
FROM pg_tablespace WHERE spcname = %s""",
    Thing.SUBSCRIPTION: """
SELECT oid::bigint, true,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM unnest(subpublications) name) AS publications
FROM pg_subscription WHERE subname = %s
  AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
}
_CONFIGURED = """
SELECT setting FROM pg_file_settings
WHERE sourcefile LIKE '%%postgresql.auto.conf' AND lower(name) = lower(%s) ORDER BY seqno DESC LIMIT 1
"""


def look(opened: Session, aim: Aim) -> Found:
    """Return what the catalogue shows of an aim, in a session that finds names as the statement does."""
    match aim:
        case IndexBuilt():
            return _index_built(opened, aim)
        case Gone(thing=Thing.INDEX):
            return _index(opened, schema=aim.schema, name=aim.name, table=None)[0]
        case Built() | Gone():
            return _thing(opened, aim.thing, aim.name, aim.stated if isinstance(aim, Built) else {})
        case Rebuilt():
            return _rebuilt(opened, aim)
        case Detached() | Moved() | Configured():
            return _changed(opened, aim)
    return Found()


def _index_built(opened: Session, aim: IndexBuilt) -> Found:
    index = aim.index
    found, is_on_table = _index(opened, schema=index.schema, name=index.name or "", table=index.table)
    if not found.there:
        return found
    (oid,) = found.there
    if not is_on_table:
        return Found(found.there, differences=(f"it is on another table than {index.table}",))
    return Found(found.there, differences=differences_of(opened, aim, oid))


def _index(opened: Session, *, schema: str | None, name: str, table: str | None) -> tuple[Found, bool]:
    row = opened.execute(
        _INDEX,
        {"name": name, "schema": schema, "found_by": table or name, "table": dotted(opened, schema, table)},
    ).fetchone()
    if row is None:
        return Found(), True
    oid, is_whole, space, _, is_on_table = row
    if is_whole:
        return Found(frozenset({oid})), is_on_table
    return Found(unfinished=(Remains(oid, space, name),)), is_on_table


def _rebuilt(opened: Session, aim: Rebuilt) -> Found:
    query = _REBUILT.format(scope=_SCOPES[aim.scope], with_toast="false" if aim.scope is Scope.INDEX else "true")
    names = {"name": dotted(opened, aim.schema, aim.name), "bare": aim.name}
    rows = opened.execute(query.encode(), names).fetchall()
    return Found(
        there=frozenset(oid for oid, *_, is_rebuilt, _ in rows if is_rebuilt),
        unfinished=tuple(Remains(oid, space, name) for oid, space, name, _, is_left in rows if is_left),
    )


def _changed(opened: Session, aim: Detached | Moved | Configured) -> Found:
    match aim:
        case Detached():
            return _detached(opened, aim)
        case Moved():
            row = opened.execute(_THINGS[Thing.DATABASE], [aim.database]).fetchone()
            return Found(is_reached=None if row is None else row[4] == aim.tablespace)
    return _configured(opened, aim)


def _detached(opened: Session, aim: Detached) -> Found:
    names = {"table": dotted(opened, *aim.table), "partition": dotted(opened, *aim.partition)}
    row = opened.execute(_DETACHED, names).fetchone()
    assert row is not None  # noqa: S101 # an outer join to one row
    are_there, oid, is_pending, space, name = row
    if not are_there:
        return Found()
    remains = (Remains(oid, space, name),) if is_pending else ()
    return Found(unfinished=remains, is_reached=is_pending is None)


def _configured(opened: Session, aim: Configured) -> Found:
    """Where the file may be read: that takes more rights than writing it."""
    if not aim.can_be_read:
        return Found()
    try:
        row = opened.execute(_CONFIGURED, [aim.name]).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return Found()
    return Found(is_reached=(row[0] if row else None) == aim.value)


def _thing(opened: Session, thing: Thing, name: str, stated: Mapping[str, str]) -> Found:
    cursor = opened.execute(_THINGS[thing], [name])
    row = cursor.fetchone()
    if row is None:
        return Found()
    columns = [one.name for one in cursor.description or ()]
    shown: dict[str, Any] = dict(zip(columns, row, strict=True))
    if not row[1]:
        return Found(unfinished=(Remains(row[0], "", name),))
    told = tuple(
        f"{key}: {shown[key]} instead of {value}"
        for key, value in stated.items()
        if _comparable(key, str(shown[key])) != _comparable(key, value)
    )
    return Found(frozenset({row[0]}), differences=told)


def _comparable(key: str, value: str) -> str:
    """Return a value as it can be compared: an encoding has several spellings."""
    return value.upper().replace("-", "").replace("_", "") if key == "encoding" else value


def dotted(opened: Session, schema: str | None, name: str | None) -> str | None:
    """Return a name as SQL, with its schema where that is written."""
    if name is None:
        return None
    return psycopg.sql.Identifier(*(part for part in (schema, name) if part is not None)).as_string(opened)
