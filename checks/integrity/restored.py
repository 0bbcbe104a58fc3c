"""Whether a schema is again what it was: the snapshot from before a run against the one after its way back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from checks.integrity.verdicts import Verdict
from checks.schema import Snapshot

NAMED = 8  # differences that are told in words; the others are in the evidence

Pieces = Mapping[str, Mapping[str, str]]
"""Object -> piece of it -> SHA-256: which index or column of a table it is that differs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was. `is_by_others` when its object was changed between the two runs."""

    name: str
    what: str  # is missing, is left over, differs
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


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema at a moment: every object, and the pieces of those that the plan touches."""

    objects: Snapshot
    pieces: Pieces


def judge_restored(run: str, before: Schema, after: Schema, *, by_others: Collection[str] = ()) -> Restored:
    """Return whether the schema is what it was before a run. `by_others` are objects that changed between the runs.

    What others have changed is named and no fault of the way back.
    """
    found = tuple(_differences(before, after, by_others))
    asked = f"Schema equal to before run {run}"
    if not found:
        return Restored(Verdict.PASSED, f"{asked}: yes.")
    ours = [one for one in found if not one.is_by_others]
    others = [one for one in found if one.is_by_others]
    told = [f"{_listed(ours)}."] if ours else []
    told += [f"Changed between the two runs, by something else: {_listed(others)}."] if others else []
    return Restored(Verdict.FAILED if ours else Verdict.NOTED, f"{asked}: no. {' '.join(told)}", found)


def not_measured(run: str, why: str) -> Restored:
    """Return that there is nothing to compare, and why."""
    return Restored(Verdict.NOT_MEASURED, f"Schema equal to before run {run}: not measured. {why}")


def changed(one: Snapshot, other: Snapshot) -> set[str]:
    """Return the objects that two snapshots do not have alike."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _differences(before: Schema, after: Schema, by_others: Collection[str]) -> Iterator[Difference]:
    for name in sorted(changed(before.objects, after.objects)):
        if name not in after.objects:
            yield Difference(name, "is missing", name in by_others)
        elif name not in before.objects:
            yield Difference(name, "is left over", name in by_others)
        else:
            was, now = before.pieces.get(name, {}), after.pieces.get(name, {})
            pieces = sorted(changed(was, now)) if was and now else []
            for piece in pieces:
                what = "is missing" if piece not in now else "differs" if piece in was else "is left over"
                yield Difference(f"{piece} of {name}", what, name in by_others)
            if not pieces:
                yield Difference(name, "differs", name in by_others)


def _listed(differences: list[Difference]) -> str:
    shown = "; ".join(map(str, differences[:NAMED]))
    return shown if len(differences) <= NAMED else f"{shown}; and {len(differences) - NAMED} more"
