"""What differs between two schemas, as sentences about a way back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from checks.names import qualified
from checks.rehearsal.declared import Key
from checks.schema import Change, Difference, Kind, PieceChange

_PUBLIC = re.compile(r"^(?:table )?((?:[a-z]+ )*?)public\.")
_TABLE = re.compile(r"^table ")


def told(found: Difference, *, staying: Collection[Key] = ()) -> Iterator[str]:
    """Yield each hard difference as a sentence without a full stop.

    `staying` are enum types whose new labels are declared irreversible: they are told elsewhere.
    """
    if found.why_not_comparable:
        yield f"the schemas cannot be compared: {found.why_not_comparable}"
    kept = {f"type {qualified(*key)}" for key in staying} | {f"type {'.'.join(key)}" for key in staying}
    for change in found.changes:
        if change.object in kept and all(map(only_adds_labels, change.pieces)) and change.pieces:
            continue
        yield from _sentences(change)


def soft(found: Difference) -> Iterator[str]:
    """Yield what differs without making the schemas unequal: the order of columns."""
    for change in found.soft:
        yield f"{_name(change.object)} comes back with its columns in another order"


def only_adds_labels(piece: PieceChange) -> bool:
    """True for an enum that has all its labels in their order, and others."""
    if piece.piece != "labels" or piece.before is None or piece.after is None:
        return False
    labels = iter(piece.after.split(", "))
    return all(one in labels for one in piece.before.split(", "))


def _sentences(change: Change) -> Iterator[str]:
    name = _name(change.object)
    if change.kind is Kind.REMOVED:
        yield f"{_kind(change.object)}{name} does not come back"
    elif change.kind is Kind.ADDED:
        yield f"{_kind(change.object)}{name} is left over"
    else:
        yield from (_piece(one, name) for one in change.pieces)


def _piece(one: PieceChange, owner: str) -> str:
    if one.piece == "unpopulated" and one.kind is Kind.ADDED:
        return f"{owner} comes back without its rows"
    # The name of an index says all: it is the only one in its schema.
    what = one.piece if one.piece.startswith("index ") else f"{one.piece} of {owner}"
    if one.kind is Kind.REMOVED:
        return f"{what} does not come back"
    if one.kind is Kind.ADDED:
        return f"{what} is left over"
    aspect = f" with {one.aspect}" if one.aspect else ""
    if one.is_long:
        return f"{what} comes back otherwise" + (f": its {one.aspect} is not what it was" if one.aspect else "")
    now, was = ((text or "no value") for text in (one.after, one.before))
    return f"{what} comes back{aspect} {now} instead of {was}" if aspect else f"{what} is {now} instead of {was}"


def _name(key: str) -> str:
    return _PUBLIC.sub(r"\1", key) if _PUBLIC.match(key) else _TABLE.sub("", key)


def _kind(key: str) -> str:
    return "table " if _TABLE.match(key) else ""
