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
    checklist: each with its outcome, met, not met, or not known. An older judgement has neither.
    """

    phase: str = ""
    words: str = ""
    is_compatible: bool | None = None
    breaks: tuple[Mapping[str, Any], ...] = ()
    review: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_met(self) -> int:
        """How many items of the checklist are met."""
        return sum(item["outcome"] == "met" for item in self.review)


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


def about(judgement: Mapping[str, Any], migration: str) -> About:
    """Return what was judged of one migration when its run was planned."""
    judged = judgement.get("migrations", {}).get(migration, {})
    phase = judged.get("phase")
    if phase is None:
        return About()
    review = judgement.get("reviews", {}).get(migration, ())
    return About(PHASES[phase["name"]], phase["words"], judged["compatible"], tuple(judged["breaks"]), tuple(review))
