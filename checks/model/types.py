"""From a type as SQL writes it to the type as the catalogue names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from checks.model.relations import DataType, Kind, Name
from checks.model.schema import Schema
from checks.tree import Tree

SERIALS: Mapping[str, str] = {
    "serial": "int4", "serial4": "int4", "bigserial": "int8", "serial8": "int8", "smallserial": "int2",
    "serial2": "int2",
}  # fmt: skip
"""What is written like a type, but means a column with a sequence of its own."""

# pg_type of PostgreSQL 18, without arrays and without what a column cannot have.
BUILT_IN = frozenset(
    """
    bool bytea char name int8 int2 int2vector int4 regproc text oid tid xid cid oidvector json xml
    xid8 point lseg path box polygon line float4 float8 money circle macaddr inet cidr macaddr8 bpchar
    varchar date time timestamp timestamptz interval timetz bit varbit numeric refcursor regprocedure
    regoper regoperator regclass regcollation regtype regrole regnamespace uuid pg_lsn tsvector
    gtsvector tsquery regconfig regdictionary jsonb jsonpath txid_snapshot pg_snapshot int4range
    numrange tsrange tstzrange daterange int8range int4multirange nummultirange tsmultirange
    tstzmultirange datemultirange int8multirange record trigger event_trigger void anyelement anyarray
    anynonarray anyenum anyrange anycompatible anycompatiblearray anycompatiblenonarray
    anycompatiblerange anymultirange anycompatiblemultirange internal language_handler fdw_handler
    cstring pg_node_tree aclitem unknown
    """.split()  # noqa: SIM905 - words, not a list of strings
)
UNTOLD = DataType("", schema="")
"""The type of a column of which nothing says the type."""

_FULL_RANGE = 0x7FFF
# Bits of an interval's fields (utils/datetime.h: MONTH, YEAR, DAY, HOUR, MINUTE, SECOND).
_MONTH, _YEAR, _DAY, _HOUR, _MINUTE, _SECOND = 1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12
_FIELDS = {
    _YEAR: "year", _MONTH: "month", _DAY: "day", _HOUR: "hour", _MINUTE: "minute", _SECOND: "second",
    _YEAR | _MONTH: "year to month", _DAY | _HOUR: "day to hour", _DAY | _HOUR | _MINUTE: "day to minute",
    _DAY | _HOUR | _MINUTE | _SECOND: "day to second", _HOUR | _MINUTE: "hour to minute",
    _HOUR | _MINUTE | _SECOND: "hour to second", _MINUTE | _SECOND: "minute to second",
}  # fmt: skip
_TIMES = frozenset({"time", "timetz", "timestamp", "timestamptz", "interval"})
_MOST_DIGITS = 6  # of a second; more are cut with a warning


def serial_of(node: Tree | None) -> str:
    """Return the integer type behind `serial` and its kind, or "" for a real type."""
    names = [part.text("sval") for part in node.each("names")] if node else []
    return SERIALS.get(names[0], "") if len(names) == 1 else ""


def data_type(node: Tree | None, schema: Schema) -> DataType:
    """Return the type that a TypeName means where the schema is as given."""
    if node is None or node.flag("pct_type"):
        return UNTOLD
    names = [part.text("sval") for part in node.each("names")]
    found = _named(names, schema)
    numbers, words = _modifiers(node)
    if found.name == "interval" and found.is_built_in:
        numbers, words = _interval(numbers)
    elif found.name == "numeric" and len(numbers) == 1:
        numbers = (*numbers, 0)
    elif found.name in _TIMES:
        numbers = tuple(min(one, _MOST_DIGITS) for one in numbers)
    is_array = found.is_array or bool(node.each("arrayBounds"))
    return replace(found, modifiers=numbers, fields=words, is_array=is_array)


def resolve(names: list[str], schema: Schema) -> Name | None:
    """Return the full name of a user's type, or None where none of that name is known."""
    places = [names[-2]] if len(names) > 1 else [*schema.path]
    for place in places:
        name = Name(place, names[-1])
        relation = schema.relations.get(name)
        if name in schema.types or (relation is not None and relation.kind is not Kind.SEQUENCE):
            return name
    return None


def _named(names: list[str], schema: Schema) -> DataType:
    bare = names[-1]
    is_system = names[:-1] == ["pg_catalog"]
    if bare in BUILT_IN and (len(names) == 1 or is_system):
        return DataType(bare)
    if found := resolve(names, schema):
        return DataType(found.name, schema=found.schema)
    if bare.startswith("_"):  # how the catalogue names an array
        element = _named([*names[:-1], bare[1:]], schema)
        if element.schema:
            return replace(element, is_array=True)
    return DataType(bare, schema=names[-2] if len(names) > 1 else "")


def _modifiers(node: Tree) -> tuple[tuple[int, ...], str]:
    """Return the numbers in the brackets, or what stands there in words when not all are numbers."""
    constants = [one.get("val") for one in node.each("typmods")]
    if all(one is not None and one.tag == "Integer" for one in constants):
        return tuple(one.number("ival") for one in constants if one is not None), ""
    return (), ",".join(one.sql() for one in node.each("typmods"))


def _interval(numbers: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
    """Return precision and fields of an interval: the parser gives a mask of fields, then the precision."""
    fields = _FIELDS.get(numbers[0], "") if numbers and numbers[0] != _FULL_RANGE else ""
    return tuple(min(one, _MOST_DIGITS) for one in numbers[1:2]), fields
