"""What is told of a batched statement while it runs and afterwards: never a value of a key, which is data."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from checks.batch import Batch
from deployments.postgres.batches.ledger import Standing
from deployments.postgres.batches.pace import Pace

RECENT = 20  # batches whose speed counts for the time that is left


@dataclass(frozen=True, slots=True)
class Told:
    """How far it is. Rates are of the last batches with their pauses, seconds left an estimate; None: not known."""

    batch: Batch
    position: int
    standing: Standing
    size: int
    throttle: str  # why it pauses, or ""
    keys_per_second: float | None
    rows_per_second: float | None

    @property
    def percent(self) -> float | None:
        """How much of the estimated rows is gone through, never 100 before the end; None where nobody counted them."""
        if self.standing.is_done:
            return 100.0
        if not self.standing.estimate:
            return None
        return min(99.0, 100 * self.standing.keys / self.standing.estimate)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the speed of now, as estimated."""
        left = (self.standing.estimate or 0) - self.standing.keys
        return left / self.keys_per_second if self.keys_per_second and left > 0 else None

    def as_progress(self) -> dict[str, Any]:
        """Return what pages show, as JSON values."""
        one = self.standing
        return {
            "table": self.batch.table,
            "key": ", ".join(self.batch.key),
            "rows": one.rows,
            "keys": one.keys,
            "estimate": one.estimate,
            "batches": one.batches,
            "size": self.size,
            "most": self.batch.size,
            "percent": None if self.percent is None else round(self.percent, 1),
            "rows_per_second": None if self.rows_per_second is None else round(self.rows_per_second),
            "keys_per_second": None if self.keys_per_second is None else round(self.keys_per_second),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "throttle": self.throttle,
            "throttled_seconds": round(one.throttled_seconds, 1),
        }

    def as_evidence(self) -> dict[str, Any]:
        """Return what is kept of it, as JSON values."""
        one = self.standing
        return {
            "statement": self.position,
            "table": self.batch.table,
            "key": ", ".join(self.batch.key),
            "rows": one.rows,
            "keys": one.keys,
            "batches": one.batches,
            "seconds": round(one.seconds, 3),
            "throttled_seconds": round(one.throttled_seconds, 3),
        }


class Speed:
    """The speed of the last batches."""

    def __init__(self) -> None:
        """Begin without any."""
        self._last: deque[tuple[float, int, int]] = deque(maxlen=RECENT)

    def add(self, seconds: float, keys: int, rows: int) -> None:
        """Count one batch with the pause before it."""
        self._last.append((seconds, keys, rows))

    def told(self, batch: Batch, position: int, standing: Standing, pace: Pace) -> Told:
        """Return how far it is, with the speed of now."""
        seconds = sum(one[0] for one in self._last)
        keys, rows = (sum(one[place] for one in self._last) / seconds if seconds else None for place in (1, 2))
        return Told(batch, position, standing, pace.size, pace.reason, keys, rows)
