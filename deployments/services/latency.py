"""Keeping what an application says of its own latency while a job runs."""

from django.db import connection

from deployments.models.latency import MOST_READINGS


def keep_latency(job_id: int, *, fence: int, milliseconds: float | None, is_healthy: bool) -> bool:
    """Append one reading for the holder of this fence; False if it holds the job no more, or the job has enough.

    It locks nothing: who moves or takes over the job never waits for a reading.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO deployments_latencyreading (job_id, number, milliseconds, is_healthy)"
            " SELECT job.id, coalesce(max(reading.number), 0) + 1, %(milliseconds)s, %(is_healthy)s"
            " FROM deployments_job job LEFT JOIN deployments_latencyreading reading ON reading.job_id = job.id"
            " WHERE job.id = %(job)s AND job.fence = %(fence)s AND job.state = 'running'"
            " GROUP BY job.id HAVING coalesce(max(reading.number), 0) < %(most)s",
            {
                "job": job_id,
                "fence": fence,
                "milliseconds": milliseconds,
                "is_healthy": is_healthy,
                "most": MOST_READINGS,
            },
        )
        return bool(cursor.rowcount)
