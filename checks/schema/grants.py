"""Rights, written so that the same rights are always the same text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

PUBLIC = "PUBLIC"
OWNER = "the owner"
_WORDS = {
    "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "D": "TRUNCATE", "x": "REFERENCES", "t": "TRIGGER",
    "m": "MAINTAIN", "X": "EXECUTE", "U": "USAGE", "C": "CREATE", "c": "CONNECT", "T": "TEMPORARY", "s": "SET",
    "A": "ALTER SYSTEM",
}  # fmt: skip
_ITEM = re.compile(r'("(?:[^"]|"")*"|[^="]*)=([A-Za-z*]*)/(.+)\Z', re.DOTALL)
_LETTER = re.compile(r"([A-Za-z])(\*?)")


def normalised(acl: Sequence[str] | None, *, owner: str, defaults: Sequence[str], relative: bool) -> Mapping[str, str]:
    """Return who may do what: role -> privileges in words. Nobody may change what comes back.

    `acl` is as `aclitem[]::text[]`, None for the defaults. `defaults` is what the server gives on an object of this
    kind, whoever owns it. Where the defaults hold (`relative`), the owner's own rights are named only if they differ
    from them: they go with the owner. A right that another than the owner gave is that of "role, from grantor".
    """
    return _normalised(None if acl is None else tuple(acl), owner, tuple(defaults), relative)


@lru_cache(maxsize=4096)
def _normalised(
    acl: tuple[str, ...] | None,
    owner: str,
    defaults: tuple[str, ...],
    relative: bool,  # noqa: FBT001 - a cache's key
) -> Mapping[str, str]:
    usual = {grantee: letters for grantee, letters, _ in map(_parsed, defaults)}
    full = next((letters for grantee, letters in usual.items() if grantee != PUBLIC), "")
    if acl is None:
        return {grantee: _told(letters) for grantee, letters in usual.items() if grantee == PUBLIC}
    found: dict[str, str] = {}
    owners = ""
    for grantee, letters, grantor in map(_parsed, acl):
        if grantee == owner and grantor == owner:
            owners = letters
        elif letters:
            found[grantee if grantor in {owner, ""} else f"{grantee}, from {grantor}"] = _told(letters)
    if (set(owners) - {"*"} != set(full)) if relative else owners:
        found[OWNER] = _told(owners) or "nothing"
    return found


def _parsed(item: str) -> tuple[str, str, str]:
    found = _ITEM.match(item)
    if found is None:  # a later server writes them otherwise: they are told as they are
        return item, "", ""
    grantee, letters, grantor = found.groups()
    return _name(grantee) or PUBLIC, letters, _name(grantor)


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written


def _told(letters: str) -> str:
    """Return privileges in words, in the order of the alphabet."""
    words = [_WORDS.get(one, one) + (" (may grant it)" if star else "") for one, star in _LETTER.findall(letters)]
    return ", ".join(sorted(words))
