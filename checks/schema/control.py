"""The negative control: a comparator that never objects proves nothing, so it is shown schemas that are not equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from checks.schema.difference import difference
from checks.schema.hashes import Record
from checks.schema.snapshot import Snapshot

ADDED = "table of the negative control"


def mutated(snapshot: Snapshot, number: int = 0) -> tuple[str, Snapshot]:
    """Return a schema that is not equal to this one, and what was done to it. Numbers go through all kinds, and begin
    again.
    """
    found = list(_mutations(snapshot))
    return found[number % len(found)]


def is_equal(one: Snapshot, other: Snapshot) -> bool:
    """Return whether two schemas are equal, as every verdict has it."""
    return difference(one, other).is_equal


def unseen(snapshot: Snapshot, is_equal: Callable[[Snapshot, Snapshot], bool] = is_equal) -> tuple[str, ...]:
    """Return which mutations a comparator did not object to; none, if it is worth anything.

    It is shown one of every kind that the schema allows, and the schema itself, which it has to find equal.
    """
    blind = [what for what, changed in _mutations(snapshot) if is_equal(snapshot, changed)]
    return tuple(blind if is_equal(snapshot, snapshot) else [*blind, "the schema is equal to itself"])


def _mutations(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """Yield one mutation of each kind, at the first place that has it."""
    yield "an object added", snapshot.with_record(ADDED, {"owner": "nobody"})
    if snapshot.records:
        last = max(snapshot.records)
        yield f"{last} removed", snapshot.with_record(last, None)
    for part in ("indexes", "constraints", "triggers", "policies", "grants", "columns"):
        if found := _first(snapshot, part):
            name, record = found
            piece = min(record[part])
            left = {one: value for one, value in record[part].items() if one != piece}
            yield f"{part} of {name}: {piece} removed", snapshot.with_record(name, {**record, part: left})
    for part, aspect, value in (
        ("columns", "type", "unknown"),
        ("columns", "default", "'of the negative control'"),
        ("columns", "not null", "changed"),
        ("indexes", "invalid", "changed"),
        ("constraints", "not validated", "changed"),
    ):
        if found := _first(snapshot, part):
            name, record = found
            piece = min(record[part])
            changed = {**record[part][piece], aspect: value}
            pieces = {**record[part], piece: changed}
            yield f"{piece} of {name}: {aspect} changed", snapshot.with_record(name, {**record, part: pieces})
    for part in ("owner", "view", "definition", "labels", "comment"):
        if found := _first(snapshot, part):
            name, record = found
            yield f"{part} of {name} changed", snapshot.with_record(name, {**record, part: _other(record[part])})


def _first(snapshot: Snapshot, part: str) -> tuple[str, Record] | None:
    having = (name for name, record in snapshot.records.items() if record.get(part))
    name = min(having, default=None)
    return (name, snapshot.records[name]) if name is not None else None


def _other(value: Any) -> Any:
    if isinstance(value, list):
        return [*value, "of the negative control"]
    return dict(value) if isinstance(value, Mapping) else f"{value} of the negative control"
