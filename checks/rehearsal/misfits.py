"""Which rows of now an old schema would refuse: derived from what is looser now, as SQL by which they are counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from checks.names import quote
from checks.rehearsal.declared import Key
from checks.rehearsal.newcomers import Underivable
from checks.rehearsal.rows import shown
from checks.schema.hashes import Record

_TABLE = re.compile(r'table (?P<schema>"(?:[^"]|"")*"|[^".]+)\.(?P<name>.+)')
_TYPE = re.compile(r"(?P<base>[^(]+)(?:\((?P<first>\d+)(?:,(?P<second>-?\d+))?\))?(?P<rest>.*)")
_KEY = re.compile(r"(?:UNIQUE|PRIMARY KEY) \((?P<columns>[^()]*)\)")
_FOREIGN = re.compile(r"FOREIGN KEY \((?P<columns>[^()]*)\) REFERENCES (?P<table>.+?)\((?P<others>[^()]*)\)")
_INDEX = re.compile(r"CREATE UNIQUE INDEX .+? USING btree \((?P<columns>[^()]*)\)(?: WHERE (?P<where>.+))?", re.DOTALL)
_NAMES = re.compile(r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)(?:, (?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*))*')
_NAME = re.compile(r'"(?:[^"]|"")+"|[^", ]+')
_WHOLE = {"smallint": 15, "integer": 31, "bigint": 63}  # bits of the greatest value
_NUMBERS = {*_WHOLE, "numeric"}
_TEXTS = {"text", "character varying", "character"}
ASKS_INPUT = 160_000
"""pg_input_is_valid, which says whether a type takes a value, is there from this version on."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Rows of a table that the old schema would refuse: those for which `condition` holds, an SQL expression.

    With `double` they are the rows beyond the first one that has the same in these columns, where `condition` holds.
    `since` is the server version from which on it can be asked.
    """

    table: Key
    what: str
    condition: str
    double: tuple[str, ...] = ()
    since: int = 0


def misfits(before: Mapping[str, Record], after: Mapping[str, Record]) -> Iterator[Misfit | Underivable]:
    """Yield what of the rows under `after` may not fit `before`, both as records of objects by their keys.

    Tables and columns are recognised by their names: what is called otherwise now cannot be derived.
    """
    for key in sorted(before.keys() & after.keys()):
        if (found := _TABLE.fullmatch(key)) and before[key] != after[key]:
            place = (_plain(found["schema"]), _plain(found["name"]))
            yield from _of_table(place, before[key], after[key])
    for key, was in sorted(before.items()):
        labels, now = was.get("labels"), after.get(key, {}).get("labels", ())
        if key.startswith("type ") and labels and set(now) - set(labels):
            yield from _of_labels(key.removeprefix("type "), labels, after)


def _of_table(table: Key, was: Record, now: Record) -> Iterator[Misfit | Underivable]:
    columns: Mapping[str, Any] = was.get("columns", {})
    there: Mapping[str, Any] = now.get("columns", {})
    for name, one in columns.items():
        if name in there and not there[name].get("generated"):
            yield from _of_column(table, name, one, there[name])
    gone = {quote(name) for name in columns if name not in there}
    kept = {_bare(one) for one in (*_definitions(now, "constraints"), *_definitions(now, "indexes"))}
    for name, one in was.get("constraints", {}).items():
        if (definition := _bare(one.get("definition", ""))) not in kept:
            yield from _of_constraint(table, name, definition, gone)
    for name, one in was.get("indexes", {}).items():
        definition = one.get("definition", "")
        if definition.startswith("CREATE UNIQUE INDEX") and _bare(definition) not in kept:
            yield _of_index(table, name, definition, gone)


def _of_column(table: Key, name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Misfit | Underivable]:
    told, column = f"{shown(table)}.{quote(name)}", quote(name)
    if was.get("not null") and not now.get("not null"):
        yield Misfit(table, f"{told} is NULL", f"{column} IS NULL")
    old, new = was.get("type", ""), now.get("type", "")
    if old != new and (condition := _unfit(column, old, new)):
        since = ASKS_INPUT if "pg_input_is_valid" in condition else 0
        yield Misfit(table, f"{told} does not fit {old}", condition, since=since)


def _unfit(column: str, old: str, new: str) -> str:  # noqa: PLR0911 # one per family of types
    """Return which values of a column's new type the old one does not hold, "" where it holds them all."""
    kind, first, second = _parts(old)
    other, length, _ = _parts(new)
    if kind in {"text", "character varying"} and first is None:
        return ""
    if kind in _WHOLE and other in _NUMBERS:
        return _beyond_whole(column, _WHOLE[kind], other)
    if kind == "numeric" and other in _NUMBERS:
        return _beyond_numeric(column, first, second or 0, other)
    if kind in _TEXTS and other in _TEXTS:
        most = first or 1
        return "" if length is not None and length <= most else f"length({column}) > {most}"
    if kind == "date" and other.startswith("timestamp"):
        return f"{column} <> {column}::date"
    if kind == "boolean" and other in _WHOLE:
        return f"{column} NOT IN (0, 1)"
    return f"NOT pg_catalog.pg_input_is_valid({column}::text, {_text(old)})"


def _beyond_whole(column: str, bits: int, other: str) -> str:
    if _WHOLE.get(other, 99) <= bits:
        return ""
    part = f" OR {column} <> trunc({column})" if other == "numeric" else ""
    return f"{column} NOT BETWEEN -{2**bits} AND {2**bits - 1}{part}"


def _beyond_numeric(column: str, digits: int | None, scale: int, other: str) -> str:
    if digits is None:
        return ""
    part = f" OR scale({column}) > {scale}" if other == "numeric" else ""
    return f"abs({column}) >= 1e{digits - scale}::numeric{part}"


def _parts(name: str) -> tuple[str, int | None, int | None]:
    found = _TYPE.fullmatch(name)
    if found is None:
        return name, None, None
    first, second = (int(found[one]) if found[one] else None for one in ("first", "second"))
    return f"{found['base'].strip()}{found['rest']}", first, second


def _of_constraint(table: Key, name: str, definition: str, gone: set[str]) -> Iterator[Misfit | Underivable]:
    what = f"{shown(table)} against the old {quote(name)}"
    if any(re.search(rf"(?<![\w\"]){re.escape(one)}(?![\w\"])", definition) for one in gone):
        yield Underivable(f"{what}: it asks about a column that is not there now")
    elif definition.startswith("CHECK "):
        yield Misfit(table, what, f"NOT {definition.removeprefix('CHECK ')}")
    elif found := _KEY.match(definition):
        yield _double(table, found["columns"], "")
    elif found := _FOREIGN.match(definition):
        columns, others = _NAME.findall(found["columns"]), _NAME.findall(found["others"])
        filled = " AND ".join(f"{one} IS NOT NULL" for one in columns)
        pairs = " AND ".join(
            f"locktender_other.{other} = locktender_row.{one}" for one, other in zip(columns, others, strict=True)
        )
        orphaned = f"{filled} AND NOT EXISTS (SELECT FROM {found['table']} locktender_other WHERE {pairs})"
        yield Misfit(table, f"{shown(table)} without its row in {found['table']}", orphaned)
    elif not definition.startswith(("NOT NULL", "TRIGGER")):
        yield Underivable(what)


def _of_index(table: Key, name: str, definition: str, gone: set[str]) -> Misfit | Underivable:
    found = _INDEX.fullmatch(definition)
    if found is None or not _NAMES.fullmatch(found["columns"]) or gone & set(_NAME.findall(found["columns"])):
        return Underivable(f"what the old unique index {quote(name)} of {shown(table)} kept apart")
    return _double(table, found["columns"], found["where"] or "")


def _double(table: Key, columns: str, where: str) -> Misfit:
    names = tuple(_NAME.findall(columns))
    filled = " AND ".join(f"{one} IS NOT NULL" for one in names)
    condition = f"{filled} AND ({where})" if where else filled
    return Misfit(table, f"{shown(table)} again with the same {', '.join(names)}", condition, double=names)


def _of_labels(kind: str, labels: Any, after: Mapping[str, Record]) -> Iterator[Misfit]:
    known = ", ".join(map(_text, labels))
    for key, record in sorted(after.items()):
        if found := _TABLE.fullmatch(key):
            table = (_plain(found["schema"]), _plain(found["name"]))
            for name, one in record.get("columns", {}).items():
                if one.get("type") == kind:
                    told = f"{shown(table)}.{quote(name)} has a label that the old {kind.removeprefix('public.')} lacks"
                    yield Misfit(table, told, f"{quote(name)}::text NOT IN ({known})")


def _definitions(record: Record, part: str) -> Iterator[str]:
    yield from (one["definition"] for one in record.get(part, {}).values() if one.get("definition"))


def _bare(definition: str) -> str:
    """Return a definition without what does not decide which rows fit: validity, and the name of an index."""
    return re.sub(r"^(CREATE (?:UNIQUE )?INDEX) \S+ ON", r"\1 ON", definition.removesuffix(" NOT VALID"))


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
