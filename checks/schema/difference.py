"""What differs between two schemas: which object, which piece of it, from what to what."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checks.schema.hashes import Record, hard, named_pieces
from checks.schema.recorded import ORDER
from checks.schema.snapshot import Snapshot

ONE_LINE = 100  # characters; what is longer, or has several lines, is told as a difference of lines
_VERSIONS_PER_MAJOR = 10000


class Kind(StrEnum):
    """What became of an object or a piece."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class PieceChange:
    """One aspect of one piece that is not as it was. `aspect` is "" for a piece that is a value itself.

    `before` and `after` are text for people; None where there was, or is, nothing.
    """

    piece: str  # "column points", "owner"
    aspect: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> Kind:
        """What became of it; a piece is added or removed only as a whole."""
        if self.aspect:
            return Kind.CHANGED
        return Kind.ADDED if self.before is None else Kind.REMOVED if self.after is None else Kind.CHANGED

    @property
    def is_long(self) -> bool:
        """Whether it reads better as a difference of lines."""
        texts = [one for one in (self.before, self.after) if one is not None]
        return any(len(one) > ONE_LINE or "\n" in one for one in texts)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The difference line by line: "-", "+" or " " and the line; three lines around each change."""
        before, after = ((one or "").splitlines() for one in (self.before, self.after))
        told = list(difflib.unified_diff(before, after, lineterm=""))[2:]
        return [(one[0], one[1:]) for one in told if not one.startswith("@@")]

    def __str__(self) -> str:
        """Tell it in one line."""
        what = f"{self.piece}, {self.aspect}" if self.aspect else self.piece
        if self.kind is not Kind.CHANGED:
            text = self.after if self.before is None else self.before
            return f"{what} {self.kind}" if self.is_long else f"{what} {self.kind}: {text or '(empty)'}"
        if self.is_long:
            return f"{what} changed"
        return f"{what}: {_nothing(self.before)} -> {_nothing(self.after)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One object that is not as it was; `pieces` is empty for one that came or went as a whole.

    `content` is what there is to show: the pieces, or all that it consists of.
    """

    object: str
    kind: Kind
    pieces: tuple[PieceChange, ...] = ()
    content: tuple[PieceChange, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The change in lines for people."""
        return [f"{self.object}: {one}" for one in self.pieces] or [f"{self.object} {self.kind}"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs. `soft` are orders of columns; they do not make two schemas unequal."""

    changes: tuple[Change, ...] = ()
    soft: tuple[Change, ...] = ()
    why_not_comparable: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether the schemas are the same but for the order of columns. What cannot be compared is not equal."""
        return not self.changes and not self.why_not_comparable

    @property
    def is_identical(self) -> bool:
        """Whether they are the same, the order of columns included."""
        return self.is_equal and not self.soft

    @property
    def objects(self) -> set[str]:
        """The objects that are not equal."""
        return {one.object for one in self.changes}

    def lines(self) -> list[str]:
        """Return the difference in lines for people, soft ones last."""
        if self.why_not_comparable:
            return [self.why_not_comparable]
        return [line for change in (*self.changes, *self.soft) for line in change.lines]


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """Return what differs. Snapshots of two majors cannot be compared: the server writes the same thing otherwise."""
    was, now = (one.server_version // _VERSIONS_PER_MAJOR for one in (before, after))
    if was != now:
        return Difference(why_not_comparable=f"PostgreSQL {was} and {now} write the same schema differently.")
    if before.ignored.keys() != after.ignored.keys():
        return Difference(why_not_comparable="The two snapshots were made under different rules on what to ignore.")
    changes, soft = [], []
    for name in sorted(before.records.keys() | after.records.keys()):
        one, other = before.records.get(name), after.records.get(name)
        if one is None or other is None:
            kind, content = (
                Kind.ADDED if one is None else Kind.REMOVED,
                tuple(_pieces(hard(one or {}), hard(other or {}))),
            )
            changes.append(Change(name, kind, content=content))
        elif one != other:
            if found := tuple(_pieces(hard(one), hard(other))):
                changes.append(Change(name, Kind.CHANGED, found, found))
            if moved := _moved(one.get(ORDER), other.get(ORDER)):
                soft.append(Change(name, Kind.CHANGED, (moved,), (moved,)))
    return Difference(tuple(changes), tuple(soft))


def _pieces(before: Record, after: Record) -> Iterator[PieceChange]:
    was, now = named_pieces(before), named_pieces(after)
    for piece in sorted(was.keys() | now.keys()):
        one, other = was.get(piece), now.get(piece)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for aspect in sorted(one.keys() | other.keys()):
                if one.get(aspect) != other.get(aspect):
                    yield PieceChange(piece, aspect, text_of(one.get(aspect)), text_of(other.get(aspect)))
        else:
            yield PieceChange(piece, "", text_of(one), text_of(other))


def _moved(before: list[str] | None, after: list[str] | None) -> PieceChange | None:
    """Return the order of the columns that both have, if it is not the same."""
    was, now = before or [], after or []
    was, now = [one for one in was if one in now], [one for one in now if one in was]
    return PieceChange(ORDER, "", ", ".join(was), ", ".join(now)) if was != now else None


def text_of(value: Any) -> str | None:
    """Return a value of a record as people read it; None for nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {text_of(one)}" for name, one in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(str(text_of(one)) for one in value)
    return str(value)


def _nothing(text: str | None) -> str:
    return "nothing" if text is None else text or "(empty)"
