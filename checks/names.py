"""How names of database objects are written: quoted only where PostgreSQL needs it."""

from __future__ import annotations

import re

_PART = re.compile(r'"(?:[^"]|"")*"|[^".]+')
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")

# Words that cannot stand as a name everywhere without quotes (PostgreSQL 18: reserved, type/function and column
# name keywords). A test compares the list with the parser's.
KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean
    both case cast char character check coalesce collate collation column concurrently constraint create
    cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user dec decimal default deferrable desc distinct do else end except exists extract false
    fetch float for foreign freeze from full grant greatest group grouping having ilike in initially
    inner inout int integer intersect interval into is isnull join json json_array json_arrayagg
    json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national natural nchar
    none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay
    placing position precision primary real references returning right row select session_user setof
    similar smallint some substring symmetric system_user table tablesample then time timestamp to
    trailing treat trim true union unique user using values varchar variadic verbose when where window
    with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def quote(name: str) -> str:
    """Return one name as SQL: `users` stays, `User` and `order` come back in double quotes."""
    if _PLAIN.match(name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def qualified(*names: str | None) -> str:
    """Return a dotted name as SQL; parts that are missing or empty are left out."""
    return ".".join(quote(name) for name in names if name)


def parts(dotted: str) -> tuple[str, ...]:
    """Return the quoted parts of a name made by `qualified`; a dot inside quotes divides nothing."""
    return tuple(_PART.findall(dotted))


def unqualified(dotted: str) -> str:
    """Return the last part of a name made by `qualified`, without its quotes."""
    last = parts(dotted)[-1] if dotted else ""
    return last[1:-1].replace('""', '"') if last.startswith('"') else last


def sibling(dotted: str, name: str) -> str:
    """Return another, already quoted name in the schema that the first one is written with."""
    return ".".join((*parts(dotted)[:-1], name))


def readable(dotted: str) -> str:
    """Return a name as SQL without the quotes that it does not need: `"public"."Users"` becomes `public."Users"`."""
    return qualified(*split(dotted))


def derived(dotted: str, *suffix: str) -> str:
    """Return a new quoted name built from an object's name, at most 63 bytes long as PostgreSQL allows."""
    tail = "_" + "_".join(suffix)
    stem = unqualified(dotted).encode()[: max(1, 63 - len(tail.encode()))].decode(errors="ignore")
    return quote((stem + tail).encode()[:63].decode(errors="ignore"))


def split(dotted: str) -> tuple[str, str]:
    """Return schema and name, without quotes, of a name as SQL; the schema is "" where none is written."""
    names = [unqualified(part) for part in parts(dotted)]
    return (names[-2] if len(names) > 1 else "", names[-1] if names else "")
