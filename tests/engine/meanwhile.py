"""An executor at work in a thread of this process, for as long as a test looks and asks for things."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from deployments.dispatch import Dispatcher
from deployments.models import Job
from deployments.pipelines.executor import execute
from tests.engine.conftest import Rewards, configured

PATIENCE_SECONDS = 90


@contextmanager
def executing(rewards: Rewards, job: Job, **environment: str) -> Iterator[None]:
    """Have the job executed, and wait at the end of the block until its executor has let go of it."""

    def work() -> None:
        try:
            execute(job.pk)
        finally:
            connections.close_all()

    with configured(rewards.environment | environment):
        thread = threading.Thread(target=work, name="executor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the executor still works"


def now(job: Job) -> Job:
    """Return the job as it is."""
    return Job.objects.select_related("run", "database").get(pk=job.pk)


def due() -> list[int]:
    """Return the jobs that a dispatcher would have driven now, whatever it sent before."""
    Job.objects.filter(finished_at=None).update(sent_at=None)
    found: list[int] = []

    class Looking(Dispatcher):
        def _drive(self, job_id: int, *, nobody_came: bool) -> None:  # noqa: ARG002 # as it is called
            found.append(job_id)

    Looking().sweep()
    return found
