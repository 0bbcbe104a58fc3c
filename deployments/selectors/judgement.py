"""What a stored judgement says of one script besides its findings: its phase, and what old code can no longer do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PHASES = {
    "expand": "Expand",
    "migrate": "Migrate",
    "contract": "Contract",
    "mixed": "Mixed",
    "neither": "Neither expand nor contract",
    "unknown": "Phase not known",
}


@dataclass(frozen=True, slots=True)
class About:
    """The phase of a script with why, and whether old application code can go on: True, False or None for not known.

    `breaks` are lines with what old code can no longer do, or what cannot be told. `review` are the items of the
    checklist: each with its outcome, met, not met, or not known. `split` are the files that it should be instead, if
    it does several things. An older judgement has none of them.
    """

    phase: str = ""
    words: str = ""
    is_compatible: bool | None = None
    breaks: tuple[Mapping[str, Any], ...] = ()
    review: tuple[Mapping[str, Any], ...] = ()
    split: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_met(self) -> int:
        """How many items of the checklist are met."""
        return sum(item["outcome"] == "met" for item in self.review)

    @property
    def unmet(self) -> tuple[str, ...]:
        """The titles of what is not met."""
        return tuple(item["title"] for item in self.review if item["outcome"] == "not met")

    @property
    def untold(self) -> tuple[str, ...]:
        """The titles of what is not known."""
        return tuple(item["title"] for item in self.review if item["outcome"] not in {"met", "not met"})


@dataclass(frozen=True, slots=True)
class Worst:
    """The lock that lasts longest of all, or of which nobody can say how long: where it is, and what it means."""

    migration: str
    line: int
    relation: str
    mode: str
    blocks: str
    cost: str
    seconds: float | None  # on a slow server; None when nobody can say


def worst_of(judgement: Mapping[str, Any]) -> Worst | None:
    """Return the lock of a plan that costs most, or None if none stops anybody, or the judgement is older."""
    worst = judgement.get("worst")
    return Worst(**worst) if worst else None


def about(judgement: Mapping[str, Any], migration: str, *, tests: Mapping[str, Any] | None = None) -> About:
    """Return what was judged of one migration when its run was planned. `tests` is what was reported since."""
    judged = judgement.get("migrations", {}).get(migration, {})
    phase = judged.get("phase")
    if phase is None:
        return About()
    review = [
        one | tests if tests and one["code"] == "tests" else one
        for one in judgement.get("reviews", {}).get(migration, ())
    ]
    return About(
        phase=PHASES[phase["name"]],
        words=phase["words"],
        is_compatible=judged["compatible"],
        breaks=tuple(judged["breaks"]),
        review=tuple(review),
        split=tuple(judged.get("split", ())),
    )
