"""The executor's link to the control database: its sign of life, and what a person asks of it meanwhile."""

import math
import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from django.db import DatabaseError, InterfaceError, connection

from deployments.errors import DeploymentError
from deployments.models import Job
from deployments.postgres.connect import LINK_ERRORS
from deployments.postgres.stopped import CancelledOnRequest, PausedOnRequest
from deployments.services.announce import WISH_CHANNEL
from deployments.services.lease import Beat, beat

HUNG_SECONDS = 60.0
"""A step that goes on so long after its limit does not ask whether it may: a server answers nothing any more."""


class LeaseLost(DeploymentError):
    """Another executor holds the job, or this one cannot tell that it still does."""

    code = "lease-lost"

    def __init__(self, *, job: str, why: str) -> None:
        super().__init__(
            f"This executor no longer holds {job}: {why}. It started nothing more. "
            "Nothing is to be done: an executor that can reach the control database goes on."
        )


class StepOverdue(DeploymentError):
    """A step took longer than it may."""

    code = "step-overdue"

    def __init__(self, *, job: str, limit: timedelta) -> None:
        super().__init__(
            f"A step of {job} took longer than its limit of {limit}. Nothing new was started; what was committed "
            "before stays and is counted. Look at its log, then ask for a new run."
        )


class Control:
    """Renews the lease in a thread of its own, and answers whether anything new may be started. A `Stop`."""

    def __init__(self, job: Job, *, lease: timedelta, heartbeat: timedelta, silence: timedelta) -> None:
        """Prepare; the thread starts with the block."""
        self._job = job
        self._fence = job.fence or 0
        self._lease = lease
        self._heartbeat = heartbeat.total_seconds()
        self._silence = silence.total_seconds()
        self._last_beat = time.monotonic()
        self._limit = timedelta.max
        self._due = math.inf
        self._cancel = threading.Event()
        self._pause = threading.Event()
        self._any_wish = threading.Event()  # one of the two above
        self._lost = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_closed, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begin to give signs of life."""
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop, within one heartbeat."""
        self._closing.set()
        self._thread.join()

    def limit(self, step_timeout: timedelta) -> None:
        """From now on allow so long for the step that begins."""
        self._limit = step_timeout
        self._due = time.monotonic() + step_timeout.total_seconds()

    @property
    def cancel_requested(self) -> bool:
        """Whether a person asked to stop."""
        return self._cancel.is_set()

    def require_may_start(self) -> None:
        """Raise LeaseLost or CancelledOnRequest if nothing new may be started."""
        if self._lost.is_set():
            raise LeaseLost(job=str(self._job), why="another executor has taken it over")
        silent = time.monotonic() - self._last_beat
        if silent > self._silence:
            raise LeaseLost(job=str(self._job), why=f"the control database has not answered for {silent:.0f} s")
        if time.monotonic() > self._due:
            raise StepOverdue(job=str(self._job), limit=self._limit)
        if self._cancel.is_set():
            raise CancelledOnRequest(migration=str(self._job))

    def require_may_go_on(self, place: str) -> None:
        """Raise as `require_may_start` does, or PausedOnRequest: the work can rest at this place."""
        self.require_may_start()
        if self._pause.is_set():
            raise PausedOnRequest(job=str(self._job), place=place)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a person asks to stop."""
        self._cancel.wait(seconds)

    def rest(self, seconds: float) -> None:
        """Wait so long where the work can rest, or until a person asks to stop or to pause."""
        self._any_wish.wait(seconds)

    def _take(self, wishes: Beat) -> None:
        """Know what people want now. A pause can be taken back before it was obeyed, a cancel cannot."""
        if wishes.cancel_requested:
            self._cancel.set()
        told = {True: threading.Event.set, False: threading.Event.clear}
        told[wishes.pause_requested](self._pause)
        told[wishes.pause_requested or self._cancel.is_set()](self._any_wish)

    def _beat_until_closed(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen_and_beat()
            except (DatabaseError, InterfaceError, *LINK_ERRORS):  # while listening, the driver's own
                connection.close()
                self._closing.wait(min(1.0, self._heartbeat))
        connection.close()

    def _listen_and_beat(self) -> None:
        """Beat, then sleep for a heartbeat; a person's wish on the channel ends the sleep."""
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {WISH_CHANNEL}")
        while not self._closing.is_set():
            if time.monotonic() > self._due + HUNG_SECONDS:
                self._let_go()
                return
            sent = time.monotonic()  # the lease counts from no earlier, however late the answer is read
            answer = beat(self._job.pk, fence=self._fence, executor=self._job.executor, lease=self._lease)
            if not answer.held:
                self._let_go()
                return
            self._last_beat = sent
            self._take(answer)
            self._sleep()

    def _let_go(self) -> None:
        """Give no more signs of life: the job is somebody else's, or a hung step must not keep it for ever."""
        self._lost.set()
        self._closing.wait()

    def _sleep(self) -> None:
        """Look for notifications in short turns, so that closing does not wait for a whole heartbeat."""
        until = time.monotonic() + self._heartbeat
        while not self._closing.is_set() and (left := until - time.monotonic()) > 0:
            for told in connection.connection.notifies(timeout=min(left, 0.25)):
                if told.payload == str(self._job.run_id):
                    return
