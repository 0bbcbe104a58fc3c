"""A schema at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from checks.schema.hashes import Hashes, Record, canonical, fingerprint, object_hash, record_hash, touched

FORMAT = 1
"""How records are written. What was recorded in another format is never compared with it."""


@dataclass(frozen=True)
class Snapshot:
    """Every object of a schema with its record.

    `server_version` is as server_version_num. `dependents` tells of an object which others need it: a view of a table.
    `ignored` is what rules left out, by rule and count, so that a difference can say what it did not look at.
    """

    records: Mapping[str, Record]
    server_version: int
    dependents: Mapping[str, Iterable[str]] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def hashes(self) -> Hashes:
        """The SHA-256 of every object; the order of columns does not count."""
        return {name: object_hash(record) for name, record in self.records.items()}

    @cached_property
    def fingerprint(self) -> str:
        """One SHA-256 of the whole; the order of columns does not count."""
        return fingerprint(self.hashes)

    @cached_property
    def exact_fingerprint(self) -> str:
        """One SHA-256 of the whole, the order of columns included."""
        return fingerprint({name: record_hash(canonical(record)) for name, record in self.records.items()})

    def of(self, relations: Iterable[str], *, with_dependents: bool = True) -> Snapshot:
        """Return the objects that carry one of these names as SQL, with everything that needs them."""
        found = set(touched(self.records, relations))
        waiting = sorted(found) if with_dependents else []
        while waiting:
            new = set(self.dependents.get(waiting.pop(), ())) - found
            found |= new
            waiting += sorted(new)
        return self.only(found)

    def only(self, names: Iterable[str]) -> Snapshot:
        """Return the snapshot of the named objects, as keys have them."""
        kept = set(names)
        return replace(self, records={name: one for name, one in self.records.items() if name in kept})

    def without(self, *names: str) -> Snapshot:
        """Return the snapshot without the named objects, as keys have them."""
        return self.only(self.records.keys() - set(names))

    def with_record(self, name: str, record: Record | Mapping[str, Any] | None) -> Snapshot:
        """Return the snapshot with another record of an object, or without it."""
        kept = {key: one for key, one in self.records.items() if key != name}
        return replace(self, records=kept if record is None else {**kept, name: record})
