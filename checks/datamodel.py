"""Whether migrations produce what a data model of an ORM asks for: two schemas in, one verdict out."""

from __future__ import annotations

from dataclasses import dataclass

from checks.schema import Change, Kind, PieceChange, Snapshot, difference

OF_A_MODEL = ("table ", "type ")
"""Objects that a data model can ask for. What else migrations make (views, functions) it cannot know."""
_ASPECTS = {"type", "not null", "default", "more", "definition"}


@dataclass(frozen=True, slots=True)
class Produced:
    """What the model asks for and the migrations do not make so, and what only they make, in lines for people."""

    missing: tuple[str, ...]
    more: tuple[str, ...]
    why_not_known: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether the migrations make everything that the model asks for, as it asks for it."""
        return not self.missing and not self.why_not_known


def produced(made: Snapshot, wanted: Snapshot) -> Produced:
    """Return how what migrations made of an empty database differs from what a model made of another one.

    Owners, rights, comments and storage are no matter of a model. An index or a constraint that only migrations make is
    told as more: a model has no words for a condition or a CHECK. A column or a value of an enumeration that only they
    make is not what the model asks for.
    """
    found = difference(made, wanted)
    if found.why_not_comparable:
        return Produced((), (), found.why_not_comparable)
    missing: list[str] = []
    more: list[str] = []
    for change in found.changes:
        if not change.object.startswith(OF_A_MODEL):
            continue
        if change.kind is Kind.ADDED:
            missing.append(f"{change.object} is not made")
        elif change.kind is Kind.REMOVED:
            more.append(f"{change.object} is not in the model")
        else:
            _sort(change, missing, more)
    return Produced(tuple(missing), tuple(more))


def _sort(change: Change, missing: list[str], more: list[str]) -> None:
    for piece in change.pieces:
        part = piece.piece.partition(" ")[0]
        if part in {"index", "constraint"}:
            place = more if piece.kind is Kind.REMOVED else missing
            if piece.kind is not Kind.CHANGED or piece.aspect in _ASPECTS:
                place.append(f"{change.object}: {_told(piece)}")
        elif part == "column" and piece.aspect and piece.aspect not in _ASPECTS:
            continue
        elif part in {"column", "values", "labels"}:
            missing.append(f"{change.object}: {_told(piece)}")


def _told(piece: PieceChange) -> str:
    """Tell from what the migrations make to what the model asks for."""
    what = f"{piece.piece}, {piece.aspect}" if piece.aspect else piece.piece
    if piece.kind is Kind.ADDED:
        return f"{what} is not made"
    if piece.kind is Kind.REMOVED:
        return f"{what} is not in the model"
    return f"{what} is {piece.before or 'not set'}, the model asks for {piece.after or 'none'}"
