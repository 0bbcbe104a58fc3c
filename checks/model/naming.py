"""The names that PostgreSQL chooses when a statement gives none (makeObjectName and its callers, 14 to 18)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from checks.model.facts import CONSTRAINT, INDEX
from checks.model.relations import Name
from checks.model.schema import Schema

MAX_BYTES = 63


def clipped(name: str, most: int = MAX_BYTES) -> str:
    """Return a name cut to so many bytes, never inside a character."""
    return name.encode()[: max(0, most)].decode(errors="ignore")


def object_name(first: str, second: str, label: str) -> str:
    """Return `first_second_label` in 63 bytes: the longer of the two parts is shortened until it fits."""
    room = MAX_BYTES - len(label.encode()) - 1 - (1 if second else 0)
    one, two = len(first.encode()), len(second.encode())
    while one + two > room:
        if one > two:
            one -= 1
        else:
            two -= 1
    return "_".join(part for part in (clipped(first, one), clipped(second, two), label) if part)


def joined(columns: Iterable[str]) -> str:
    """Return the middle part of a name that is made from several columns."""
    text = ""
    for column in columns:
        text += ("_" if text else "") + column
        if len(text.encode()) > MAX_BYTES:
            break
    return text


def relation_name(schema: Schema, place: str, first: str, second: str, label: str, *, constraint: bool = False) -> str:
    """Return a free name for a relation: a sequence or an index, which may carry a constraint of the same name."""
    return _free(first, second, label, lambda name: is_relation(schema, Name(place, name))
                 or (constraint and is_constraint(schema, place, name)))  # fmt: skip


def constraint_name(schema: Schema, place: str, first: str, second: str, label: str) -> str:
    """Return a name that no constraint of the whole schema has."""
    return _free(first, second, label, lambda name: is_constraint(schema, place, name))


def is_relation(schema: Schema, name: Name) -> bool:
    """True when a table, view, sequence or index of this name exists."""
    if name in schema.relations:
        return True
    return bool(schema.those(INDEX, name))


def is_constraint(schema: Schema, place: str, name: str) -> bool:
    """True when a table or domain in this schema has a constraint of this name."""
    if schema.those(CONSTRAINT, Name(place, name)):
        return True
    return any(name in one.constraints for one in schema.types.values() if one.name.schema == place)


def index_columns(wanted: Iterable[str]) -> list[str]:
    """Return the names of an index's columns, in which a name that comes twice gets a number."""
    names: list[str] = []
    for origin in wanted:
        name, number = origin, 0
        while name in names:
            number += 1
            name = clipped(origin, MAX_BYTES - len(str(number))) + str(number)
        names.append(name)
    return names


def _free(first: str, second: str, label: str, is_taken: Callable[[str], bool]) -> str:
    number = 0
    while True:
        name = object_name(first, second, f"{label}{number or ''}")
        if not is_taken(name):
            return name
        number += 1
