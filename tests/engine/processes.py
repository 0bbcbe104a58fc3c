"""Dispatchers and workers as processes of their own, and waiting for what they do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from deployments.models import Job, WorkerBeat

PATIENCE_SECONDS = 90


@contextmanager
def process(*arguments: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python process for the length of the block."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def dispatcher(environment: dict[str, str]):
    """Run a dispatcher."""
    return process("manage.py", "dispatch", environment=environment)


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Celery worker, ready."""
    arguments = ("-m", "celery", "-A", "controlplane", "worker", "-Q", "jobs", "-c", "1", "-l", "WARNING")
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
