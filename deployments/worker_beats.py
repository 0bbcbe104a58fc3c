"""The sign of life of a Celery worker that really consumes: written when its own heartbeat to the broker succeeded."""

import time
from typing import Any

import structlog
from celery.signals import heartbeat_sent, worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from deployments.services.signs_of_life import INTERVAL_SECONDS, tell

log = structlog.get_logger()

_last_beat = 0.0


@worker_ready.connect
@heartbeat_sent.connect
def beat(sender: Any = None, **_details: Any) -> None:
    """Store that the worker is alive, at most every two seconds. A control database that is away does not stop it."""
    global _last_beat  # noqa: PLW0603 # one worker process, one rhythm
    if time.monotonic() - _last_beat < INTERVAL_SECONDS:
        return
    _last_beat = time.monotonic()
    try:
        tell(
            str(getattr(sender, "hostname", None) or getattr(sender.eventer, "hostname", "unknown")),
            queue=settings.CELERY_TASK_DEFAULT_QUEUE,
        )
    except (DatabaseError, InterfaceError) as away:
        log.warning("worker beat not stored", reason=type(away).__name__)
        connection.close()
