"""Writing what the executor did, through outages of the control database: nothing is written twice, nothing is lost."""

import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from deployments.actors import EXECUTOR
from deployments.models import Job, Step
from deployments.services.transition import Stale, begin_step, move_job, move_step
from deployments.states import JobState, StepState

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds
PATIENCE_SECONDS = 600.0


def persist(write: Callable[[], None], *, is_written: Callable[[], bool]) -> None:
    """Write, again and again while the control database is away; a write whose answer was lost is recognised.

    Raises Stale if another executor was quicker, and the last error after ten minutes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause, tried = FIRST_PAUSE, False
    while True:
        try:
            write()
        except Stale:
            if tried and is_written():
                return
            raise
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            tried = True
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        else:
            return


def tell(write: Callable[[], None]) -> None:
    """Write once; while the control database is away it is left out, and the next telling has what is true then.

    It is called inside transactions on a target: one that waited here would hold its locks as long.
    """
    try:
        write()
    except (OperationalError, InterfaceError):
        connection.close()


def record_start(job: Job, *, name: str, position: int, attempt: int, fence: int) -> Step:
    """Make an attempt at a step, started, for the holder of this fence, and return it."""
    made = Step.objects.filter(job=job, position=position, attempt=attempt)
    persist(
        lambda: begin_step(job, name=name, position=position, attempt=attempt, fence=fence, actor=EXECUTOR),
        is_written=lambda: made.filter(state=StepState.RUNNING, fence=fence).exists(),
    )
    return made.get()


def record_step(step: Step, to: StepState, *, fence: int, **facts: Any) -> None:
    """Move a step for the holder of this fence."""
    persist(
        lambda: move_step(step, to, fence=fence, actor=EXECUTOR, **facts),
        is_written=lambda: Step.objects.filter(pk=step.pk, state=to, fence=fence).exists(),
    )
    step.refresh_from_db()


def record_job(job: Job, to: JobState, *, reason: str = "", **facts: Any) -> None:
    """Move a job from running, for the holder of its fence."""
    persist(
        lambda: move_job(job, to, actor=EXECUTOR, reason=reason, **facts),
        is_written=lambda: Job.objects.filter(pk=job.pk, state=to, fence=job.fence).exists(),
    )
    job.refresh_from_db()
