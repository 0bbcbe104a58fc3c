"""Dropping the copies that executors left behind on a rehearsal server, without waiting for the next one there."""

import structlog

from deployments.errors import DeploymentError
from deployments.models import ControlPlane, Database, Job
from deployments.pipelines.observing import rehearsal_target_of
from deployments.postgres.backup.scratch import Purpose, drop_leftovers
from deployments.postgres.connect import DRIVER_ERROR
from deployments.postgres.rehearsal.databases import drop_left_copies
from deployments.states import JobState

SESSION = "locktender/clearing"

log = structlog.get_logger()


def drop_left(database_id: int) -> list[str]:
    """Drop what dead executors left on the rehearsal server of a database's environment; return the names.

    Only databases that are named as this control plane's, for rehearsals and for verifying backups. Safe to call at any
    time, any number of times; what the server refuses is tried again at the next turn of the clock.
    """
    server = rehearsal_target_of(Database.objects.select_related("environment").get(pk=database_id))
    if server is None:
        return []
    plane = ControlPlane.objects.get().pk
    try:
        return [
            *drop_leftovers(server, plane, purposes=[Purpose.VERIFY], is_alive=_is_alive, name=SESSION),
            *drop_left_copies(server, plane, is_alive=_is_alive, name=SESSION),
        ]
    except (DeploymentError, DRIVER_ERROR) as refused:
        log.warning("copies not dropped", server=server.name, reason=type(refused).__name__)
        return []


def _is_alive(job: int, fence: int) -> bool:
    """Return whether the executor that made a database may still use it: its job is running, and under its fence."""
    return Job.objects.filter(pk=job, fence=fence, state=JobState.RUNNING).exists()
