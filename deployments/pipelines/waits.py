"""What the application pays for a migration, and what that does, told in a thread of its own that nothing waits for."""

import threading
from types import TracebackType
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, connection

from deployments.errors import DeploymentError
from deployments.models import Job
from deployments.pipelines.endings import Carrier
from deployments.postgres.guard import Guard
from deployments.services.progress import write_waits

TELLING_SECONDS = 1.0  # no faster than a person reads
SETTLING_SECONDS = 1.0  # who was told to end goes within moments, and the migration may be quicker
PARTING_SECONDS = 3.0
"""So long the end of a migration waits for the last telling: a control database that hangs holds up nothing more."""

log = structlog.get_logger()


def billed(stopped: DeploymentError, **facts: object) -> DeploymentError:
    """Return why a step stopped with what the application had paid by then, for the step's evidence."""
    stopped.evidence = {**facts, **stopped.evidence}
    return stopped


class WaitsTold:
    """Adds what the guard sees to the progress of the running step, and carries wishes to it. It fails no job."""

    def __init__(self, job: Job, step: str, guard: Guard) -> None:
        """Prepare; the thread starts with the block. `step` is the name of the step that runs meanwhile."""
        self._job = job
        self._step = step
        self._guard = guard
        self._told: dict[str, object] = {}
        self._carrier = Carrier(job, guard.endings)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tell_until_closed, name="waits", daemon=True)

    def __enter__(self) -> Self:
        """Begin to tell."""
        try:
            self._thread.start()
        except RuntimeError as refused:  # the machine has no thread to give: that is no reason to stop a job
            log.warning("waits are not told", job=self._job.pk, reason=str(refused))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop within PARTING_SECONDS; last is told what it came to, so that the page shows why a migration stopped."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(PARTING_SECONDS)

    def _tell_until_closed(self) -> None:
        try:
            while not self._closing.wait(TELLING_SECONDS):
                self._tell()
            self._guard.endings.settle(SETTLING_SECONDS)
            self._tell()
        finally:
            connection.close()  # this thread's own

    def _tell(self) -> None:
        told = self._guard.as_progress()
        try:
            self._carrier.carry()
            if told != self._told:
                write_waits(self._job, self._step, told["waits"], doing=told["doing"], fence=self._job.fence or 0)
        except (DatabaseError, InterfaceError) as away:  # the next look has all of it again
            log.warning("waits not told", job=self._job.pk, reason=type(away).__name__)
            connection.close()
        else:
            self._told = told
