"""Which values change their bytes when a column gets another type (lint.md, section 5; pg_cast of PostgreSQL 18)."""

from __future__ import annotations

from enum import StrEnum

from checks.model import DataType, Index, Schema


class Cost(StrEnum):
    """What it takes to turn the stored values of one type into another."""

    NOTHING = "nothing"
    REWRITE = "rewrite"
    MAYBE = "maybe"  # a rewrite, or nothing
    REFUSED = "refused"  # no cast that the server applies by itself


_STRINGS = frozenset({"text", "varchar", "bpchar"})
_REGISTERED = frozenset(
    [
        "regproc",
        "regprocedure",
        "regoper",
        "regoperator",
        "regclass",
        "regcollation",
        "regtype",
        "regrole",
        "regnamespace",
        "regconfig",
        "regdictionary",
    ]
)
# Casts without a function: the bytes stay as they are.
_SAME_BYTES = (
    {(one, other) for one in ("text", "varchar") for other in ("text", "varchar", "bpchar")}
    | {("cidr", "inet"), ("bit", "varbit"), ("varbit", "bit"), ("int4", "oid"), ("oid", "int4")}
    | {("xml", one) for one in _STRINGS}
    | {(one, "oid") for one in _REGISTERED}
    | {(one, "int4") for one in _REGISTERED}
    | {("oid", one) for one in _REGISTERED}
    | {("int4", one) for one in _REGISTERED}
    | {("regproc", "regprocedure"), ("regprocedure", "regproc"), ("regoper", "regoperator"), ("regoperator", "regoper")}
)
_CITEXT_SAME_BYTES = {("citext", one) for one in _STRINGS} | {(one, "citext") for one in ("text", "varchar")}
_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})
# Casts with a function that the server applies to a column by itself: implicit, or allowed in an assignment.
_BY_ITSELF = (
    {(one, other) for one in _NUMBERS for other in _NUMBERS}
    | {(one, other) for one in ("int2", "int8") for other in (*_REGISTERED, "oid")}
    | {(one, "int8") for one in (*_REGISTERED, "oid")}
    | {("int4", "money"), ("int8", "money"), ("numeric", "money"), ("money", "numeric")}
    | {(one, "name") for one in _STRINGS}
    | {(one, "char") for one in _STRINGS}
    | {("text", "regclass"), ("varchar", "regclass"), ("inet", "cidr"), ("json", "jsonb"), ("jsonb", "json")}
    | {("macaddr", "macaddr8"), ("macaddr8", "macaddr"), ("bpchar", "citext")}
    | {("date", "timestamp"), ("date", "timestamptz"), ("interval", "time"), ("time", "interval"), ("time", "timetz")}
    | {("timetz", "time"), ("timestamp", "date"), ("timestamp", "time"), ("timestamp", "timestamptz")}
    | {("timestamptz", one) for one in ("date", "time", "timetz", "timestamp")}
    | {("box", "polygon"), ("path", "polygon"), ("polygon", "path"), ("point", "box")}
)
_DIGITS_OF_A_SECOND = 6
_FIELDS = ("second", "minute", "hour", "day", "month", "year")  # the least first


def conversion(old: DataType, new: DataType, schema: Schema, *, explicit: bool = False) -> Cost:
    """Return what it takes to turn a column of one type into another.

    `explicit` is a cast that is written in a USING: then more are allowed. Types of which nothing is known: MAYBE.
    """
    if not old.name or not new.name:
        return Cost.MAYBE
    if _same(old, new) and (old.modifiers, old.fields) == (new.modifiers, new.fields):
        return Cost.NOTHING
    new, is_checked = _without_domains(new, schema)
    if is_checked:
        return Cost.REWRITE
    plain, _ = _without_domains(old, schema)
    if not plain.name or not new.name:
        return Cost.MAYBE
    if plain != old:  # what the domain says about the length is not seen through it
        plain = DataType(plain.name, plain.schema, is_array=plain.is_array)
    return _between(plain, new, schema, explicit=explicit)


def _without_domains(kind: DataType, schema: Schema) -> tuple[DataType, bool]:
    """Return the type below all domains, and whether one of them has a constraint."""
    is_checked = False
    for _ in range(len(schema.types) + 1):
        user = schema.find_type(kind)
        if user is None or user.kind != "domain" or kind.is_array:
            return kind, is_checked
        is_checked = is_checked or user.has_constraint
        if user.base is None:
            return DataType("", schema=""), is_checked
        kind = user.base
    return kind, is_checked


def _same(old: DataType, new: DataType) -> bool:
    return old.name == new.name and old.is_array == new.is_array and (old.schema == new.schema or not new.schema)


def _between(old: DataType, new: DataType, schema: Schema, *, explicit: bool) -> Cost:
    if _same(old, new):
        return _length(old, new)
    if old.is_array or new.is_array:
        return _of_arrays(old, new, schema, explicit=explicit)
    pair = (old.name, new.name)
    if pair in _SAME_BYTES or (pair in _CITEXT_SAME_BYTES):
        return Cost.NOTHING if not new.modifiers else _length(DataType(new.name), new)
    if set(pair) == {"timestamp", "timestamptz"}:
        return _with_time_zone(new, schema.time_zone.upper())
    if explicit or pair in _BY_ITSELF or new.name in {*_STRINGS, "citext"}:
        return Cost.REWRITE
    known = all(one.is_built_in or _is_plain(one, schema) for one in (old, new))
    return Cost.REFUSED if known else Cost.MAYBE


def _with_time_zone(new: DataType, zone: str) -> Cost:
    """In UTC the two kinds of timestamp are stored alike (ATColumnChangeRequiresRewrite of PostgreSQL 12 and newer)."""
    if new.modifiers and new.modifiers[0] < _DIGITS_OF_A_SECOND:
        return Cost.REWRITE
    if not zone:
        return Cost.MAYBE
    return Cost.NOTHING if zone in {"UTC", "GMT", "ETC/UTC"} else Cost.REWRITE


def _is_plain(kind: DataType, schema: Schema) -> bool:
    """True for a user's type that comes without casts of its own, unless somebody made one."""
    user = schema.find_type(kind)
    return user is not None and user.kind in {"enum", "composite", "range"}


def _of_arrays(old: DataType, new: DataType, schema: Schema, *, explicit: bool) -> Cost:
    if not new.is_array:
        return Cost.REWRITE if explicit or new.name in _STRINGS else Cost.REFUSED
    if not old.is_array:
        return Cost.REWRITE if explicit else Cost.REFUSED
    element = [DataType(one.name, one.schema, one.modifiers, one.fields) for one in (old, new)]
    # Every array is taken apart, even where its elements stay as they are.
    told = conversion(element[0], element[1], schema, explicit=explicit)
    return told if told in {Cost.REFUSED, Cost.MAYBE} else Cost.REWRITE


def _length(old: DataType, new: DataType) -> Cost:
    """Compare the lengths and precisions of one type. The rules are those of its support function in the server."""
    if not new.modifiers and not new.fields:
        return Cost.NOTHING
    if (old.modifiers, old.fields) == (new.modifiers, new.fields):
        return Cost.NOTHING
    if new.is_array:
        return Cost.REWRITE
    was, will = old.modifiers, new.modifiers
    free = False
    match new.name:
        case "varchar" | "varbit":
            free = bool(was) and bool(will) and was[0] <= will[0]
        case "numeric":
            free = bool(was) and bool(will) and was[0] <= will[0] and was[1:] == will[1:]
        case "timestamp" | "timestamptz" | "time" | "timetz":
            free = will[0] >= _DIGITS_OF_A_SECOND or (bool(was) and was[0] <= will[0])
        case "interval":
            free = _interval(old, new)
        case "bpchar" | "bit" | "geometry" | "geography" | "vector":
            free = False
        case _:
            return Cost.REWRITE if new.is_built_in else Cost.MAYBE
    return Cost.NOTHING if free else Cost.REWRITE


def _interval(old: DataType, new: DataType) -> bool:
    was, will = _least(old.fields), _least(new.fields)
    digits = new.modifiers[0] if new.modifiers else _DIGITS_OF_A_SECOND
    had = old.modifiers[0] if old.modifiers else _DIGITS_OF_A_SECOND
    return will <= was and (was > 0 or digits >= had)


def _least(fields: str) -> int:
    """Return the place of the smallest field that an interval keeps; 0 for seconds, and for all."""
    return _FIELDS.index(fields.rsplit(" ", maxsplit=1)[-1]) if fields else 0


_SHARED_OPERATORS = {"varchar": "text", "cidr": "inet"}


def operators(kind: DataType, schema: Schema) -> str:
    """Return a word for the operators that an index on this type uses: two types with the same one share an index."""
    plain, _ = _without_domains(kind, schema)
    if plain.is_array:
        return "array"
    return _SHARED_OPERATORS.get(plain.name, plain.name)


def group(kind: DataType, schema: Schema) -> str:
    """Return a word for the types that compare with each other: "text", "number", "user" for an enum and its kind."""
    plain, _ = _without_domains(kind, schema)
    if plain.is_array:
        return "array"
    if plain.name in _STRINGS | {"citext", "name"}:
        return "text"
    if plain.name in _NUMBERS | {"oid", "money"}:
        return "number"
    return plain.name if plain.is_built_in else "user"


_WITHOUT_ORDER = frozenset(["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"])
_IN_GIN = frozenset({"jsonb", "tsvector"})
_IN_GIST = frozenset(["point", "box", "circle", "polygon", "inet", "tsvector", "tsquery"])


def fits_method(index: Index, kind: DataType, schema: Schema) -> bool:
    """Tell whether an index of its method can be on a type. Where operators are named, or come with it: yes."""
    plain, _ = _without_domains(kind, schema)
    if any(index.operator_classes) or not plain.is_built_in:
        return True
    match index.method:
        case "btree" | "hash":
            return plain.is_array or plain.name not in _WITHOUT_ORDER
        case "gin":
            return plain.is_array or plain.name in _IN_GIN
        case "gist":
            return plain.name in _IN_GIST or plain.name.endswith("range") or "btree_gist" in schema.extensions
        case _:
            return True
