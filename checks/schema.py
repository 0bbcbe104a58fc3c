"""A schema as a value: one hash per object, one fingerprint for any set of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

from checks.names import split

# The parts of a relation's record that are lists of named pieces, as `deployments.postgres.catalog` reads them.
_NAMED = {
    "columns": "column", "constraints": "constraint", "indexes": "index", "triggers": "trigger", "rules": "rule",
    "statistics": "statistics", "policies": "policy",
}  # fmt: skip
_MADE = re.compile(
    r'CREATE (?:UNIQUE |CONSTRAINT )*(?:INDEX|TRIGGER|RULE|STATISTICS) ((?:"(?:[^"]|"")+"|[^\s".])+'
    r'(?:\.(?:"(?:[^"]|"")+"|[^\s".]+))?)'
)

Snapshot = Mapping[str, str]
"""Object -> SHA-256 of its canonical record. Keys read "table public.ledger", "function public.points(integer)"."""


def record_hash(record: str) -> str:
    """Return the SHA-256 of one object's canonical record, in lower-case hex."""
    return hashlib.sha256(record.encode()).hexdigest()


def fingerprint(snapshot: Snapshot) -> str:
    """Return one SHA-256 over all objects of a snapshot, whatever order they were read in."""
    return record_hash("\n".join(f"{name} {snapshot[name]}" for name in sorted(snapshot)))


def touched(snapshot: Snapshot, relations: Iterable[str]) -> dict[str, str]:
    """Return the objects that carry one of these names.

    `relations` are names as SQL, with or without quotes and a schema; a name without a schema matches in every one.
    """
    wanted = {".".join(part for part in split(name) if part) for name in relations}
    return {key: digest for key, digest in snapshot.items() if _names(key) & wanted}


def pieces(record: str) -> dict[str, str]:
    """Return what an object consists of, from its canonical record: "index by_owner" -> SHA-256 of that piece.

    What has no name of its own goes by its kind: "owner", "grants". A record without pieces gives none.
    """
    told = json.loads(record)
    found: dict[str, str] = {}
    for part, value in told.items() if isinstance(told, dict) else ():
        if kind := _NAMED.get(part):
            found |= {f"{kind} {_name(entry)}": _hash(entry) for entry in value or ()}
        elif value is not None:
            found[part] = _hash(value)
    return found


def _name(entry: list[object] | str) -> str:
    """Return the name of a piece, which stands first in its record, or in the command that makes it."""
    first = str(entry if isinstance(entry, str) else entry[0])
    made = _MADE.match(first)
    return made[1] if made else first


def _hash(value: object) -> str:
    return record_hash(json.dumps(value, sort_keys=True))


def _names(key: str) -> set[str]:
    qualified = key.split(" ", 1)[1].split("(", 1)[0]
    return {qualified, qualified.partition(".")[2]}
