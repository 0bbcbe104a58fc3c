"""One hash per object of a schema, and one over any set of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from checks.names import split
from checks.schema.recorded import PARTS, SOFT

Hashes = Mapping[str, str]
"""Object -> SHA-256 of its canonical record. Keys read "table public.ledger", "function public.points(integer)"."""

Record = Mapping[str, Any]
"""What an object is: a part -> its value, or the name of a piece -> its value or its aspects."""

# A key is its kind, in words without capitals or dots, and the name; kinds of two words come first.
_KIND = re.compile(
    r"(?:materialized view|foreign table|foreign data wrapper|event trigger|user mapping|access method|operator class|"
    r"operator family|default privileges|text search \w+|grants on \w+|\w+) "
)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_PART = r'("(?:[^"]|"")+"(?=[.(]|\Z)|[^.(]*)'
_PARTS = re.compile(rf"{_PART}(?:\.{_PART})?")


def canonical(value: Any) -> str:
    """Return JSON that is the same text for the same value."""
    return _ENCODER.encode(value)


def record_hash(record: str) -> str:
    """Return the SHA-256 of one object's canonical record, in lower-case hex."""
    return hashlib.sha256(record.encode()).hexdigest()


def hard(record: Record) -> dict[str, Any]:
    """Return a record without its soft parts, as they are hashed."""
    return {part: value for part, value in record.items() if part not in SOFT}


def object_hash(record: Record) -> str:
    """Return the SHA-256 of an object without its soft parts."""
    return record_hash(canonical(hard(record)))


def fingerprint(hashes: Hashes) -> str:
    """Return one SHA-256 over all objects, whatever order they were read in."""
    return record_hash("\n".join(f"{name} {hashes[name]}" for name in sorted(hashes)))


def touched(hashes: Mapping[str, Any], relations: Iterable[str]) -> dict[str, Any]:
    """Return the objects that carry one of these names.

    `relations` are names as SQL, with or without quotes and a schema; a name without a schema matches in every one.
    """
    wanted = {".".join(shown(part) for part in split(name) if part) for name in relations}
    return {key: digest for key, digest in hashes.items() if _names(key) & wanted}


def shown(part: str) -> str:
    """Return one part of a name as keys have it: as it is, and in quotes only where it would read as several."""
    return '"' + part.replace('"', '""') + '"' if "." in part or "(" in part else part


def named_pieces(record: Record) -> dict[str, Any]:
    """Return the pieces of a record by what people call them: "column points", "grant to app", "owner"."""
    found: dict[str, Any] = {}
    for part, value in record.items():
        if (word := PARTS.get(part)) is not None:
            found |= {f"{word} {name}": one for name, one in value.items()}
        else:
            found[part] = value
    return found


def _names(key: str) -> set[str]:
    """Return what an object is called with its schema and without."""
    found = _PARTS.match(_KIND.sub("", key, count=1))
    assert found is not None  # noqa: S101 # both groups may be empty
    first, second = found.groups()
    return {f"{first}.{second}", second} if second else {first}
