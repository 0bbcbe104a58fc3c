"""Which rows only a new schema allows: derived from what is wider or looser in it than in the old one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from checks.names import qualified
from checks.rehearsal.declared import Key
from checks.rehearsal.rows import shown
from checks.rehearsal.structure import Column, Constraint, Table

_MODIFIED = re.compile(r"(?P<base>[^(]+?)\s*\((?P<first>\d+)(?:,(?P<second>-?\d+))?\)(?P<rest>.*)")
_WHOLE = {"smallint": 15, "integer": 31, "bigint": 63}  # bits of the greatest value
_TEXTS = {"text", "character varying", "character", "citext"}
_LONGEST = 10_000_000  # characters: what a test row may cost


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A row to insert under the new schema. What it does not say is taken from a row that is there.

    `column` is what it is about, "" for the row as a whole; `value` is its SQL. `double` are columns that are taken
    over from another row although they were unique; `check` is a condition it must not fulfil, on `columns`.
    """

    table: Key
    what: str
    column: str = ""
    value: str = ""
    double: tuple[str, ...] = ()
    check: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Underivable:
    """What became looser, without a row that shows it."""

    why: str


def newcomers(before: Iterable[Table], after: Iterable[Table]) -> Iterator[Newcomer | Underivable]:
    """Yield the rows that the old schema would refuse, and a plain one for each table whose shape changed.

    Tables and columns are recognised by their numbers in the catalogue, so that one that was renamed is the same.
    """
    old = {one.oid: one for one in before}
    for table in after:
        was = old.get(table.oid)
        if was is None or was == replace(table, key=was.key):
            continue
        yield Newcomer(table.key, f"a row written to {shown(table.key)} in the meantime")
        for column in table.columns:
            if (earlier := was.column(column.number)) and not column.generated:
                yield from _of_column(table, earlier, column)
        yield from _of_constraints(was, table)


def _of_column(table: Table, was: Column, now: Column) -> Iterator[Newcomer]:
    name = f"{shown(table.key)}.{qualified(now.name)}"
    if not was.is_nullable and now.is_nullable:
        yield Newcomer(table.key, f"{name} is NULL", now.name, "NULL")
    for value in wider(was, now):
        told = value if len(value) <= 40 else f"{len(value) - 2} characters"  # noqa: PLR2004
        yield Newcomer(table.key, f"{name} = {told}", now.name, value)
    for label in now.labels:
        if was.labels and label not in was.labels:
            yield Newcomer(table.key, f"{name} = {_text(label)}", now.name, _text(label))
            break


def wider(was: Column, now: Column) -> Iterator[str]:
    """Yield values, as SQL, that a column's new type holds and its old one does not."""
    if was.type == now.type or now.type.endswith("[]"):
        return
    old, new = _parts(was.type), _parts(now.type)
    if old[0] in _WHOLE and (_WHOLE.get(new[0], 0) > _WHOLE[old[0]] or (new[0] == "numeric" and new[1] is None)):
        yield str(2 ** _WHOLE[old[0]])
    elif old[0] == new[0] == "numeric" and old[1] is not None:
        yield from _wider_numeric(old, new)
    elif old[0] == "real" and new[0] == "double precision":
        yield "'1e300'"
    elif old[0] in _TEXTS and new[0] in _TEXTS:
        length = old[1] or (1 if old[0] == "character" else None)
        if length is not None and length < _LONGEST and (new[1] is None or new[1] > length):
            yield _text("x" * (length + 1))
    elif new[0] in _TEXTS and (new[1] is None or new[1] > 1):
        yield "'?'"  # which nothing but a text reads
    elif old[0] == "date" and new[0].startswith("timestamp"):
        yield "'2001-02-03 12:34:56'"
    elif old[0] == "boolean" and new[0] in _WHOLE:
        yield "2"


def _wider_numeric(old: tuple[str, int | None, int | None], new: tuple[str, int | None, int | None]) -> Iterator[str]:
    _, digits, scale = old
    digits, scale = digits or 0, scale or 0
    if new[1] is None or new[1] - (new[2] or 0) > digits - scale:
        yield "1" + "0" * (digits - scale)
    if new[1] is None or (new[2] or 0) > scale:
        yield "0." + "0" * scale + "1"


def _of_constraints(was: Table, now: Table) -> Iterator[Newcomer | Underivable]:
    names = {one.name: other.name for one in was.columns if (other := now.column(one.number))}
    place = shown(now.key)
    kept_unique = {columns for columns in now.unique if "" not in columns}
    for columns in sorted(was.unique):
        renamed = tuple(names.get(one, "") for one in columns)
        if any(set(kept) <= set(renamed) for kept in kept_unique):
            continue
        if "" in renamed:
            yield Underivable(f"what a unique index of {place} kept apart, which is gone")
        else:
            told = ", ".join(map(qualified, renamed))
            yield Newcomer(now.key, f"{place} twice with the same {told}", renamed[0], double=renamed)
    kept = {one.definition for one in now.constraints}
    for one in was.constraints:
        if one.kind in "cfx" and _renamed(one, names) not in kept and all(column in names for column in one.columns):
            yield _loosened(now, one, names)


def _loosened(table: Table, one: Constraint, names: Mapping[str, str]) -> Newcomer | Underivable:
    columns = tuple(names[column] for column in one.columns)
    what = f"{shown(table.key)} against the dropped {qualified(one.name)}"
    if one.kind == "x" or not columns:
        return Underivable(what)
    return Newcomer(table.key, what, columns[0], check=_renamed(one, names), columns=columns)


def _renamed(one: Constraint, names: Mapping[str, str]) -> str:
    """Return a definition with the columns' new names; only where all of them have one."""
    definition = one.definition
    for old in one.columns:
        new = names.get(old, old)
        if new != old:
            definition = re.sub(rf"(?<![\w\"]){re.escape(qualified(old))}(?![\w\"])", qualified(new), definition)
    return definition


def _parts(name: str) -> tuple[str, int | None, int | None]:
    found = _MODIFIED.fullmatch(name)
    if found is None:
        return name, None, None
    base = f"{found['base']}{found['rest']}"
    return base, int(found["first"]), int(found["second"]) if found["second"] else None


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
