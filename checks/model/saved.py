"""A schema as a file: for judging where the database itself cannot be asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from checks.errors import CheckError
from checks.model.coding import Misshapen, decoder, encode
from checks.model.relations import Name, Relation
from checks.model.schema import Schema

NUMBERS_PER_MAJOR = 10_000
"""How far apart the numbers of two major versions are: server_version_num of 18.6 is 180006."""

FORMAT = 1
"""Grows when a file of now could not be read by what came before."""

_WHAT = "locktender schema"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)\Z")
_OLDEST, _NEWEST = 100_000, 1_000_000  # what server_version_num can be


class SnapshotUnreadable(CheckError):
    """A saved schema is not what was written, or of a format that this version does not know."""

    code: ClassVar[str] = "snapshot-unreadable"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The saved schema cannot be used: {problem}. Nothing was judged, because sizes and tables would be wrong. "
            "Write it anew with manage.py export_snapshot."
        )


@dataclass(frozen=True, slots=True)
class Saved:
    """A schema with where it is from: `server_version` as server_version_num, `read_at` as ISO 8601 in UTC.

    `applied` are the names of the migrations that made it, as the layout names them.
    """

    schema: Schema
    server_version: int
    read_at: str
    applied: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        """The major version of the server."""
        return self.server_version // NUMBERS_PER_MAJOR


def to_data(schema: Schema) -> Any:
    """Return a schema as JSON values. What counts scripts is left out: for who reads it, nothing is new."""
    relations = {name: replace(one, made_in=0, has_rows=False) for name, one in schema.relations.items()}
    return encode(
        replace(schema, relations=relations, script=0, path=schema.usual_path, time_zone=schema.usual_time_zone)
    )


def from_data(data: Any) -> Schema:
    """Return the schema of JSON values that `to_data` made. Raises SnapshotUnreadable for anything else."""
    try:
        schema: Schema = decoder(Schema)(data)
    except Misshapen as wrong:
        raise SnapshotUnreadable(f"its schema {wrong}") from None
    for relation in schema.relations.values():
        _require_sound(relation, schema)
    _require_no_circle(schema)
    return schema


def to_json(saved: Saved) -> str:
    """Return the text of a file that `from_json` reads."""
    head = {"what": _WHAT, "format": FORMAT, "server_version": saved.server_version, "read_at": saved.read_at}
    parts = {**head, "applied": list(saved.applied), "schema": to_data(saved.schema)}
    return json.dumps(parts, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str) -> Saved:
    """Return what `to_json` wrote. Raises SnapshotUnreadable for anything else."""
    try:
        data = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as wrong:
        problem = "it is nested too deeply" if isinstance(wrong, RecursionError) else f"it is no JSON ({wrong})"
        raise SnapshotUnreadable(problem) from None
    if not isinstance(data, dict) or data.get("what") != _WHAT:
        raise SnapshotUnreadable("it is not a file of this kind")
    if data.get("format") != FORMAT or type(data["format"]) is not int:
        raise SnapshotUnreadable(f"its format is {data.get('format')!r:.40}, and only {FORMAT} is known")
    if data.keys() != {"what", "format", "server_version", "read_at", "applied", "schema"}:
        raise SnapshotUnreadable("its parts are not those of this format")
    version, moment = data["server_version"], data["read_at"]
    if type(version) is not int or not _OLDEST <= version < _NEWEST:
        raise SnapshotUnreadable("its server_version is none")
    if not isinstance(moment, str) or not _MOMENT.match(moment):
        raise SnapshotUnreadable("its read_at is no moment in UTC")
    applied = data["applied"]
    if not isinstance(applied, list) or not all(isinstance(name, str) for name in applied):
        raise SnapshotUnreadable("its applied is no list of names")
    return Saved(from_data(data["schema"]), version, moment, tuple(applied))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _require_sound(relation: Relation, schema: Schema) -> None:
    """Raise SnapshotUnreadable for what would be contradictory, so that nobody after this has to look."""
    for constraint in relation.constraints.values():
        if constraint.index and constraint.index not in relation.indexes:
            raise SnapshotUnreadable(f"constraint {constraint.name} of {relation.name} has an index that is not there")
        _require_columns(relation, constraint.columns)
    for index in relation.indexes.values():
        _require_columns(relation, (*(one for one in index.columns if one), *index.uses, *index.includes))
    for parent in _above(relation):
        if parent not in schema.relations:
            raise SnapshotUnreadable(f"the parent of {relation.name} is not there")
    size = relation.size
    if size and (size.bytes < 0 or size.index_bytes < 0 or (size.rows or 0) < 0):
        raise SnapshotUnreadable(f"the size of {relation.name} is below nothing")


def _require_columns(relation: Relation, names: Iterable[str]) -> None:
    for name in names:
        if name not in relation.columns:
            raise SnapshotUnreadable(f"{relation.name} has no column {name}")


def _above(relation: Relation) -> tuple[Name, ...]:
    return (*relation.inherits, *([relation.partition_of] if relation.partition_of else []))


def _require_no_circle(schema: Schema) -> None:
    """Raise SnapshotUnreadable for tables that are above themselves: what follows them down would never end."""
    sound: set[Name] = set()
    waiting = dict(schema.relations)
    while waiting:
        ready = [name for name, one in waiting.items() if sound.issuperset(_above(one))]
        if not ready:
            raise SnapshotUnreadable(f"{min(waiting)} is above itself")
        sound.update(ready)
        for name in ready:
            del waiting[name]


# What stays: names in quotes, names of sequences, sizes of types. Then texts, as the server or the parser writes them,
# and numbers, which do not begin inside of a name.
_PARTS = re.compile(
    r"""(?P<kept>"(?:[^"]|"")*"|nextval\('(?:[^']|'')*'::regclass\)|::[a-z ]+\(\d+(?:,\s*-?\d+)?\)
    |\b(?:current|local)_time(?:stamp)?\(\d\))
    |(?<![\w$])(?:[ebxn]|u&)?'(?:[^']|'')*'|'(?:[^']|'')*'|(?<![\w$])\.?\d[\w.]*(?:(?<=e)[+-]\d+)?""",
    re.IGNORECASE | re.VERBOSE,
)


def without_values(schema: Schema) -> Schema:
    """Return a schema that may leave the house: texts and numbers in expressions are masked, and values in bounds.

    A default can hold a key, a policy a customer. What a judgement needs stays: that there is a default, what it calls
    and which columns an expression names. Names and enum labels stay too.
    """
    return replace(
        schema,
        relations={name: _without_values(one) for name, one in schema.relations.items()},
        functions={
            name: tuple(replace(one, expression=_Mask()(one.expression)) for one in overloads)
            for name, overloads in schema.functions.items()
        },
    )


class _Mask:
    """Masks the expressions of one relation. What was the same value before is the same mask, and no other one is."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __call__(self, expression: str, *, mask: str = "'…{}'") -> str:
        """Return an expression without its values, which can still be parsed."""
        return _PARTS.sub(lambda part: part["kept"] or mask.format(self._number(part[0])), expression)

    def default(self, expression: str) -> str:
        """Return a default without its values. A parameter is no value: as a part of a recipe it cannot be run."""
        return self(expression, mask="${}")

    def _number(self, value: str) -> int:
        return self._seen.setdefault(value, len(self._seen) + 1)


def _without_values(relation: Relation) -> Relation:
    mask = _Mask()
    return replace(
        relation,
        bound=mask(relation.bound, mask="…"),
        query="",
        partition_key=mask(relation.partition_key),
        columns={
            name: replace(one, default=one.default if one.default is None else mask.default(one.default))
            for name, one in relation.columns.items()
        },
        constraints={name: replace(one, expression=mask(one.expression)) for name, one in relation.constraints.items()},
        indexes={
            name: replace(
                one,
                predicate=mask(one.predicate),
                definition=mask(one.definition),
                expressions=tuple(mask(part) for part in one.expressions),
            )
            for name, one in relation.indexes.items()
        },
        policies={name: mask(conditions) for name, conditions in relation.policies.items()},
    )
