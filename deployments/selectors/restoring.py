"""How far a restore is, in the words of a page. What nobody knows is said to be not known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.words import amount, duration_words
from deployments.models import Step

DOES = {
    "unpack": "Unpacks the backup",
    "rows": "Restores rows",
    "indexes": "Builds indexes and constraints",
    "analyze": "Counts values for the planner",
    "compare": "Compares it with the manifest",
}
"""What a restore does, by the phase that the executor tells."""
IN_ROWS = frozenset({"compare"})
FULL = 100


@dataclass(frozen=True, slots=True)
class Restoring:
    """What a step told last. `percent` is of this phase; None where nobody counts it."""

    does: str
    percent: float | None
    far: str  # "1.2 GB of 3.4 GB", or that it is not counted
    left: str  # how long it still takes, and on what that rests; or that it is not known
    table: str

    @property
    def in_short(self) -> str:
        """How far it is in one line."""
        return f"{self.does[:1].lower()}{self.does[1:]}, {self.far}, {self.left}"


def restoring_of(step: Step) -> Restoring | None:
    """Return how far the restore of a step is, None if it told of none."""
    return restoring_in(step.progress)


def restoring_in(progress: Mapping[str, Any]) -> Restoring | None:
    """Return how far a restore is by what was told of it, None if nothing was."""
    told = progress.get("restoring")
    if not told:
        return None
    done, total = told["done"], told["total"]
    show = (lambda count: f"{count:,} rows") if told["phase"] in IN_ROWS else amount
    percent = round(min(1.0, done / total) * FULL, 1) if total else None
    far = f"{show(done)} of {show(total)}" if total else "not counted"
    return Restoring(DOES.get(told["phase"], told["phase"]), percent, far, _left(told), told["table"])


def _left(told: Mapping[str, Any]) -> str:
    whole, part = told["left_seconds"], told["phase_left_seconds"]
    if whole is not None:
        return f"about {duration_words(whole)} left, as it took before"
    if part is not None and told["phase"] == "compare":
        return f"about {duration_words(part)} left at this pace"
    if part is not None:
        return f"this part about {duration_words(part)} more at this pace, the rest not known"
    return "time left not known"
