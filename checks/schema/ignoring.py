"""Rules on what is no part of a schema: what something else makes and drops, and roles of a provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from checks.schema.hashes import Record
from checks.schema.snapshot import Snapshot

MANAGED = "a managed role"
_GRANTED = ", from "


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """What is left out. Names may have * and ? in them.

    `partitions`: children of partitioned tables, which a job makes and drops. `roles`: those of a provider: rights they
    have or gave are left out, what they own is owned by "a managed role", and their event triggers are none of ours.
    `objects`: keys as a snapshot has them, "table public.tmp_*".
    """

    partitions: bool = False
    roles: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return bool(self.partitions or self.roles or self.objects)

    def as_data(self) -> dict[str, Any]:
        """Return the rules as JSON values."""
        return {"partitions": self.partitions, "roles": list(self.roles), "objects": list(self.objects)}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> IgnoreRules:
        """Return the rules that `as_data` wrote."""
        return cls(partitions=data["partitions"], roles=tuple(data["roles"]), objects=tuple(data["objects"]))

    def names(self) -> Iterator[str]:
        """Yield each rule in words."""
        if self.partitions:
            yield "partitions"
        yield from (f"role {one}" for one in self.roles)
        yield from (f"object {one}" for one in self.objects)

    def filtered(self, snapshot: Snapshot) -> Snapshot:
        """Return what the rules leave of a snapshot. Which rules there were, and how much each took, is part of it."""
        kept: dict[str, Record] = {}
        taken: Counter[str] = Counter(dict.fromkeys(self.names(), 0))
        for key, record in snapshot.records.items():
            if rule := self._taken_by(key, record):
                taken[rule] += 1
            else:
                kept[key] = self._freed(record, taken)
        return replace(snapshot, records=kept, ignored={**snapshot.ignored, **taken})

    def _taken_by(self, key: str, record: Record) -> str:
        if self.partitions and record.get("bound") is not None:
            return "partitions"
        for one in self.objects:
            if fnmatchcase(key, one):
                return f"object {one}"
        if key.startswith("event trigger ") and (role := self._managed(str(record.get("owner")))):
            return f"role {role}"
        return ""

    def _freed(self, record: Record, taken: Counter[str]) -> Record:
        """Return a record without managed roles."""
        if not self.roles:
            return record
        changed = dict(record)
        if role := self._managed(str(record.get("owner", ""))):
            changed["owner"] = MANAGED
            taken[f"role {role}"] += 1
        if grants := record.get("grants"):
            changed["grants"] = self._rights(grants, taken)
        return changed if changed != record else record

    def _rights(self, grants: Mapping[str, str], taken: Counter[str]) -> dict[str, str]:
        left = {}
        for who, what in grants.items():
            if role := next(filter(None, map(self._managed, who.split(_GRANTED))), ""):
                taken[f"role {role}"] += 1
            else:
                left[who] = what
        return left

    def _managed(self, role: str) -> str:
        return next((one for one in self.roles if fnmatchcase(role, one)), "")
