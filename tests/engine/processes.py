"""Dispatchers and workers as processes of their own, and waiting for what they do."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from deployments.models import Job, WorkerBeat
from tests.forked import Program

PATIENCE_SECONDS = 90


@contextmanager
def process(*arguments: str, environment: dict[str, str]) -> Iterator[Program]:
    """Run a program of the product for the length of the block."""
    started = Program(*arguments, environment=os.environ | environment)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def dispatcher(environment: dict[str, str]):
    """Run a dispatcher."""
    return process("manage.py", "dispatch", environment=environment)


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[Program]:
    """Run a Celery worker, ready."""
    arguments = ("celery", "-A", "controlplane", "worker", "-Q", "jobs", "-c", "1", "-l", "WARNING")
    with process(*arguments, environment=environment) as started:
        eventually(WorkerBeat.objects.filter(queue="jobs").exists)
        yield started


def eventually(condition: Callable[[], object]) -> None:
    """Look until the condition holds; fail when it does not for too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not: {condition}"
        time.sleep(0.05)


def settled(job: Job) -> Job:
    """Wait until the job is over or needs a person, and return it as it is then."""
    eventually(lambda: Job.objects.filter(pk=job.pk).exclude(state__in=["queued", "running"]).exists())
    return Job.objects.select_related("run").get(pk=job.pk)


def reconnect() -> None:
    """Forget this process's connection to the control database, which a restart has cut."""
    connection.close()
