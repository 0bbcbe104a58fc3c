"""Whether a schema is again what it was: the snapshot from before a run against the one after its way back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from checks.integrity.verdicts import Verdict
from checks.schema import Change, Kind, PieceChange
from checks.schema import Difference as SchemaDifference

NAMED = 8  # differences that are told in words; the others are in the evidence
_WORDS = {Kind.ADDED: "is left over", Kind.REMOVED: "is missing", Kind.CHANGED: "differs"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was. `is_by_others` when its object was changed between the two runs."""

    name: str
    what: str  # is missing, is left over, differs, and how where that is short
    is_by_others: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


@dataclass(frozen=True, slots=True)
class Restored:
    """What the comparison came to, in a sentence that names what differs."""

    verdict: Verdict
    sentence: str
    differences: tuple[Difference, ...] = ()

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "differences": [asdict(one) for one in self.differences],
        }


def judge_restored(run: str, found: SchemaDifference, *, by_others: Collection[str] = ()) -> Restored:
    """Return whether the schema is what it was before a run, from what differs between before it and now.

    `by_others` are objects that changed between the runs: they are named, and no fault of the way back. Another order
    of columns is named too, and is equal: a column that is made again stands at the end.
    """
    if found.why_not_comparable:
        return not_measured(run, found.why_not_comparable)
    told = tuple(one for change in found.changes for one in _differences(change, change.object in by_others))
    moved = f" But columns stand in another order: {_listed([one.object for one in found.soft])}." if found.soft else ""
    asked = f"Schema equal to before run {run}"
    if not told:
        return Restored(Verdict.PASSED, f"{asked}: yes.{moved}")
    ours = [str(one) for one in told if not one.is_by_others]
    others = [str(one) for one in told if one.is_by_others]
    words = [f"{_listed(ours)}."] if ours else []
    words += [f"Changed between the two runs, by something else: {_listed(others)}."] if others else []
    return Restored(Verdict.FAILED if ours else Verdict.NOTED, f"{asked}: no. {' '.join(words)}", told)


def not_measured(run: str, why: str) -> Restored:
    """Return that there is nothing to compare, and why."""
    return Restored(Verdict.NOT_MEASURED, f"Schema equal to before run {run}: not measured. {why}")


def _differences(change: Change, is_by_others: bool) -> Iterator[Difference]:  # noqa: FBT001 - a fact about the change
    if not change.pieces:
        yield Difference(change.object, _WORDS[change.kind], is_by_others)
    for piece, aspects in groupby(change.pieces, key=attrgetter("piece")):
        yield Difference(f"{piece} of {change.object}", _what(list(aspects)), is_by_others)


def _what(aspects: list[PieceChange]) -> str:
    """Return what became of one piece, with the values where they are short."""
    word = _WORDS[aspects[0].kind]
    if aspects[0].kind is not Kind.CHANGED or any(one.is_long for one in aspects):
        return word
    values = (
        f"{one.aspect}: " * bool(one.aspect) + f"{one.before or 'none'} -> {one.after or 'none'}" for one in aspects
    )
    return f"{word} ({', '.join(values)})"


def _listed(told: list[str]) -> str:
    shown = "; ".join(told[:NAMED])
    return shown if len(told) <= NAMED else f"{shown}; and {len(told) - NAMED} more"
