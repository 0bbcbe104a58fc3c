"""The application's own latency, asked for all along a job in a thread of its own that the job never waits for."""

import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, connection

from checks.health import Expectation
from deployments.models import Job
from deployments.probe import Prober
from deployments.services.latency import keep_latency

PARTING_SECONDS = 0.1
"""A thread that is writing is let finish; one that waits for an answer is left behind, and stores nothing any more."""

log = structlog.get_logger()


class LatencyReadings:
    """Stores what the application says of its latency, as long as the block lasts. It cannot fail the job or delay it.

    Without a health check, or one that says nothing of latency, nothing is asked and nothing is stored.
    """

    def __init__(self, job: Job, *, health: Expectation | None, prober: Prober, interval: timedelta) -> None:
        """Prepare; the thread starts with the block. `interval` lies between the beginnings of two questions."""
        self._job_id = job.pk
        self._fence = job.fence or 0
        self._health = health if health is not None and health.latency_path else None
        self._prober = prober
        self._interval = interval.total_seconds()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._ask_until_closed, name="latency", daemon=True)

    def __enter__(self) -> Self:
        """Begin to ask."""
        if self._health is not None:
            try:
                self._thread.start()
            except RuntimeError as refused:  # the machine has no thread to give: that is no reason to stop a job
                log.warning("latency is not measured", job=self._job_id, reason=str(refused))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop, within a moment, whatever the application does."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(PARTING_SECONDS)

    def _ask_until_closed(self) -> None:
        due = time.monotonic()
        try:
            while self._goes_on():
                due = max(due + self._interval, time.monotonic())  # late is late: nothing is caught up
                if self._closing.wait(due - time.monotonic()):
                    return
        finally:
            connection.close()  # this thread's own

    def _goes_on(self) -> bool:
        """Ask once and store the answer; False when there is nothing more to ask for."""
        if self._health is None:
            return False
        reading = self._prober.ask(self._health)
        if self._closing.is_set():
            return False
        try:
            return keep_latency(
                self._job_id, fence=self._fence, milliseconds=reading.latency_ms, is_healthy=reading.is_healthy
            )
        except (DatabaseError, InterfaceError) as away:  # this reading is lost, and the next one may not be
            log.warning("latency reading not stored", job=self._job_id, reason=type(away).__name__)
            connection.close()
            return True
