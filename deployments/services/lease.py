"""The sign of life of an executor: it renews the lease of its job, and learns what was asked of it meanwhile."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection


@dataclass(frozen=True, slots=True)
class Beat:
    """What the control database answered: whether the job is still ours, and whether a person asked to stop."""

    held: bool
    cancel_requested: bool


def beat(job_id: int, *, fence: int, lease: timedelta) -> Beat:
    """Renew the lease of a job in database time, for the executor that holds this fence."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployments_job job SET heartbeat_at = clock_timestamp(),"
            " lease_until = clock_timestamp() + %(lease)s::interval"
            " FROM deployments_migrationrun run WHERE job.id = %(job)s AND run.id = job.run_id"
            " AND job.fence = %(fence)s AND job.state = 'running' RETURNING run.cancel_requested_at IS NOT NULL",
            {"job": job_id, "fence": fence, "lease": f"{lease.total_seconds()} seconds"},
        )
        row = cursor.fetchone()
    return Beat(held=row is not None, cancel_requested=bool(row and row[0]))
