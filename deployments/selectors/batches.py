"""How far a batched statement of a step is, as a page shows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deployments.models import Step


@dataclass(frozen=True, slots=True)
class Batching:
    """What a step told last. `percent`, `of` and `left` are estimates, None where nobody counted the table's rows."""

    table: str
    key: str
    rows: int  # changed
    keys: int  # rows gone through
    batches: int
    size: int  # of the next batch, and how many rows it may have at most
    most: int
    percent: float | None
    of: int | None
    left: timedelta | None
    rows_per_second: int | None
    keys_per_second: int | None
    throttle: str
    throttled: timedelta


def batching_of(step: Step) -> Batching | None:
    """Return how far the batched statement of a step is, None if it runs none."""
    told: dict[str, Any] | None = step.progress.get("batch")
    if not told:
        return None
    same = ("table", "key", "rows", "keys", "batches", "size", "most", "percent", "throttle")
    left = told["seconds_left"]
    is_counted = told["percent"] is not None and told["estimate"]
    return Batching(
        **{name: told[name] for name in same},
        of=max(told["estimate"], told["keys"]) if is_counted else told["keys"],
        left=None if left is None else timedelta(seconds=left),
        rows_per_second=told["rows_per_second"],
        keys_per_second=told["keys_per_second"],
        throttled=timedelta(seconds=told["throttled_seconds"]),
    )
