"""What the application pays for a migration, beside what it may pay."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.models import Step


@dataclass(frozen=True, slots=True)
class Paid:
    """A figure beside its limit, in seconds; `percent` of the limit is at most 100."""

    seconds: float
    limit: float

    @property
    def percent(self) -> int:
        """How much of the limit is used."""
        return min(100, round(100 * self.seconds / self.limit)) if self.limit else 100

    @property
    def is_over(self) -> bool:
        """Whether the limit is passed."""
        return self.seconds > self.limit


@dataclass(frozen=True, slots=True)
class Waits:
    """What the guard of a step told last: of the file under way, or of the one the step stopped at."""

    waiting: int  # sessions, now
    in_our_way: tuple[str, ...]  # sessions we wait for, now
    oldest: Paid  # the one that waited longest so far
    total: Paid  # all that waited, in sum


def waits_of(step: Step, budget: Mapping[str, Any]) -> Waits | None:
    """Return what waits for a step, None where no guard told anything."""
    told = step.progress.get("waits")
    if told is None:
        return None
    return Waits(
        waiting=told["waiting"],
        in_our_way=tuple(told["in_our_way"]),
        oldest=Paid(told["oldest_seconds"], budget["oldest_seconds"]),
        total=Paid(told["total_seconds"], budget["total_seconds"]),
    )
