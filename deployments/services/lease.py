"""The sign of life of an executor: it renews the lease of its job, and learns what was asked of it meanwhile."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection


@dataclass(frozen=True, slots=True)
class Beat:
    """What the control database answered: whether the job is still ours, and what people asked of it."""

    held: bool
    cancel_requested: bool = False
    pause_requested: bool = False


def beat(job_id: int, *, fence: int, executor: str, lease: timedelta) -> Beat:
    """Renew the lease of a job in database time, for the executor that holds this fence.

    The executor is asked for too: after a restore of the control database the same fence is given out again, and one of
    the life that was lost may still live.

    When it learns of a cancel for the first time, that moment is kept: from then on the executor knows.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployments_job job SET heartbeat_at = clock_timestamp(),"
            " lease_until = clock_timestamp() + %(lease)s::interval,"
            " cancel_seen_at = coalesce(job.cancel_seen_at,"
            "  CASE WHEN run.cancel_requested_at IS NOT NULL THEN clock_timestamp() END)"
            " FROM deployments_migrationrun run WHERE job.id = %(job)s AND run.id = job.run_id"
            " AND job.fence = %(fence)s AND job.executor = %(executor)s AND job.state = 'running'"
            " RETURNING run.cancel_requested_at IS NOT NULL, run.pause_requested_at IS NOT NULL",
            {"job": job_id, "fence": fence, "executor": executor, "lease": f"{lease.total_seconds()} seconds"},
        )
        row = cursor.fetchone()
    if row is None:
        return Beat(held=False)
    return Beat(held=True, cancel_requested=row[0], pause_requested=row[1])
