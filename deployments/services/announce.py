"""Telling the dispatcher and the executors, inside the caller's transaction. A lost notification costs a sweep."""

from django.db import connection

JOB_CHANNEL = "locktender_job"
WISH_CHANNEL = "locktender_wish"


def announce_job(job_id: int) -> None:
    """Tell the dispatcher, when the transaction commits, that a job may be due."""
    _notify(JOB_CHANNEL, job_id)


def announce_sweep() -> None:
    """Tell the dispatcher, when the transaction commits, that something that is no job may be due."""
    _notify(JOB_CHANNEL, 0)


def announce_wish(run_id: int) -> None:
    """Tell the executors of a run, when the transaction commits, that a person wants something of them.

    To stop, to pause, to go on after all, or to end a session of others: the row says which.
    """
    _notify(WISH_CHANNEL, run_id)


def _notify(channel: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, str(number)])
