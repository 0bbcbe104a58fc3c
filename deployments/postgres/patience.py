"""Trying again while only locks are in the way: so long, so often, and how it is given up."""

import random
import time

import psycopg

from deployments.postgres.script import Script
from deployments.postgres.stopped import LockNotObtained
from deployments.postgres.transactional import FIRST_PAUSE, LONGEST_PAUSE, Worker, waits_for_autovacuum


class Patience:
    """How long one thing is tried for: as long as a statement, from the first try, and with the same pauses."""

    def __init__(
        self, script: Script, worker: Worker, *, what: str, left: str, is_watched: bool = False, resting: str = ""
    ) -> None:
        """Begin now. `what` is tried, and `left` is in force when it is given up, as a sentence.

        `is_watched` is what the guard looks at while it waits, so that it knows who is in the way. Where nothing is
        under way between two tries, `resting` is that place, as for `Stop.require_may_go_on`.
        """
        self._script, self._worker, self._what, self._left = script, worker, what, left
        self._is_watched, self._resting = is_watched, resting
        self._deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
        self._began = time.monotonic()  # this try
        self._tries = 0

    def refused(self, refused: psycopg.Error) -> None:
        """Wait before the next try, after one was refused for a lock.

        Raises LockNotObtained when it was tried for long enough, and what the stop raises.
        """
        worker = self._worker
        self._tries += 1
        if self._is_watched and waits_for_autovacuum(self._script, worker):
            self._deadline += time.monotonic() - self._began + LONGEST_PAUSE  # it is waited for: that is no failure
        if time.monotonic() > self._deadline:
            blockers = "; ".join(map(str, worker.guard.bill.blockers)) if self._is_watched else ""
            raise LockNotObtained(
                migration=self._script.name, tries=self._tries, blockers=blockers, left=self._left
            ) from refused
        told = refused.diag.message_primary
        worker.log(f"{self._what}: try {self._tries} waited for a lock ({told}); trying again")
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._tries - 1, 5))
        pause = random.uniform(0, pause)  # noqa: S311 # jitter, not a secret
        if self._resting:
            worker.stop.rest(pause)
            worker.stop.require_may_go_on(self._resting)
        else:
            worker.stop.wait(pause)
            worker.stop.require_may_start()
        self._began = time.monotonic()
