"""What the application pays for a migration, beside what it may pay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.models import Step
from deployments.selectors.bill import NOT_TOLD, bill_facts


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
class ServerFact:
    """One value about server or replicas; `value` is bytes where it `is_size`."""

    label: str
    value: Any
    is_size: bool
    is_told: bool


@dataclass(frozen=True, slots=True)
class Waits:
    """What the guard of a step told last: of the file under way, or of the one the step stopped at."""

    waiting: int  # sessions, now
    in_our_way: tuple[str, ...]  # sessions we wait for, now
    oldest: Paid  # the one that waited longest so far
    total: Paid  # all that waited, in sum
    server: tuple[ServerFact, ...]  # the worst so far


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
        server=tuple(_server(told)),
    )


def _server(told: Mapping[str, Any]) -> Iterator[ServerFact]:
    """Yield how server and replicas are, as the bill says it; nothing where no guard of this version looked."""
    if told.get("server") is None:
        return
    bill = {"most_waiting": 0, "oldest_seconds": 0.0, "total_seconds": 0.0, "earlier_seconds": 0.0}
    for label, (value, kind) in list(bill_facts({**bill, "server": told["server"]}))[1:]:
        yield ServerFact(label, value, is_size=kind == "size", is_told=value != NOT_TOLD)
