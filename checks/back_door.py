"""What changed in a layout's history between two readings, and what of it no run of ours can have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

History = Mapping[str, str]
"""Name of an applied migration -> the checksum that its tool stored."""


class Break(StrEnum):
    """What somebody did to a history."""

    FOREIGN = "foreign"  # a migration is applied that we did not apply
    GONE = "gone"  # one that was applied is not any more
    CHANGED = "changed"  # one that was applied has another checksum


@dataclass(frozen=True, slots=True)
class Deed:
    """What a job of ours may have done to a history, in any order within it.

    `applied` and `taken_back` are what it did if `is_certain`, else what it may have done. A restore replaces the whole
    history by one that nobody kept: `replaced`.
    """

    applied: History = field(default_factory=dict)
    taken_back: frozenset[str] = frozenset()
    is_certain: bool = True
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """One migration whose place in the history changed. A checksum is None where it is not applied."""

    kind: Break
    migration: str
    before: str | None
    after: str | None


def unexplained(
    before: History, after: History, deeds: Sequence[Deed], *, is_overlapped: bool = False
) -> tuple[HistoryChange, ...]:
    """Return what changed that none of these deeds, oldest first, leads to.

    `deeds` are of all jobs that were at work at any moment between the beginning of the first reading and the end of
    the second. `is_overlapped`: the second was begun before the first was kept, so that it may be the older of the two;
    then what a job of ours can have done is as well taken for undone.
    """
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return tuple(
        HistoryChange(_kind(before.get(name), after.get(name)), name, before.get(name), after.get(name))
        for name in changed
        if not _is_explained(name, before.get(name), after.get(name), deeds, is_overlapped=is_overlapped)
    )


def _kind(before: str | None, after: str | None) -> Break:
    if before is None:
        return Break.FOREIGN
    return Break.GONE if after is None else Break.CHANGED


def _is_explained(
    name: str, before: str | None, after: str | None, deeds: Sequence[Deed], *, is_overlapped: bool
) -> bool:
    """Return whether the deeds lead from one standing of a migration to the other."""
    possible = {before}
    for deed in deeds:
        if deed.replaced:
            return True
        if name in deed.applied:
            end = deed.applied[name]
        elif name in deed.taken_back:
            end = None
        else:
            continue
        possible = {end} if deed.is_certain else possible | {end}
        if is_overlapped:
            return True
    return after in possible
