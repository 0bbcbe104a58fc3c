"""How long requests took lately."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered."""

    at: float  # by the monotonic clock, when the answer was ready
    milliseconds: float
    is_failed: bool


class Latency:
    """The requests of the last ten seconds. Safe to use from many threads."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque()
        self._lock = threading.Lock()

    def add(self, *, seconds: float, is_failed: bool) -> None:
        """Remember a request that was answered just now."""
        with self._lock:
            self._requests.append(Request(time.monotonic(), seconds * 1000, is_failed))
            self._forget()

    def summary(self) -> dict[str, Any]:
        """Return the 99th percentile (None without a request), how many there were, and how many of them failed."""
        with self._lock:
            self._forget()
            requests = list(self._requests)
        took = sorted(request.milliseconds for request in requests)
        return {
            "p99_ms": round(took[(len(took) * 99 - 1) // 100], 1) if took else None,
            "requests": len(took),
            "failed": sum(request.is_failed for request in requests),
            "window_seconds": WINDOW_SECONDS,
        }

    def _forget(self) -> None:
        since = time.monotonic() - WINDOW_SECONDS
        while self._requests and self._requests[0].at < since:
            self._requests.popleft()
