"""A schema as a value: one hash per object, one fingerprint for any set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from checks.names import split

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


def _names(key: str) -> set[str]:
    qualified = key.split(" ", 1)[1].split("(", 1)[0]
    return {qualified, qualified.partition(".")[2]}
