"""Advisory locks of the teams' own migration tools: who holds one, and who waits for ours."""

from contextlib import suppress

import psycopg

from deployments.postgres.connect import NAME_PREFIX, Session

THIS = """
locktype = 'advisory' AND objsubid = 1 AND classid = %(high)s AND objid = %(low)s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
HOLDER = f"""
SELECT activity.application_name, activity.pid FROM pg_locks JOIN pg_stat_activity activity USING (pid)
WHERE {THIS} AND granted AND coalesce(activity.application_name, '') NOT LIKE '{NAME_PREFIX}%%'
"""
END_WAITERS = f"""
SELECT pg_cancel_backend(pid) FROM pg_locks WHERE {THIS} AND NOT granted AND pid = ANY(pg_blocking_pids(%(pid)s))
"""


def holder_of(opened: Session, key: int) -> str | None:
    """Return name and pid of the session of another tool that holds this lock; None if none does, or one of ours."""
    row = opened.execute(HOLDER, _parts(key)).fetchone()
    return None if row is None else f"{row[0] or 'unnamed'}, pid {row[1]}"


def end_waiters_in_the_way(opened: Session, key: int, pid: int) -> None:
    """Cancel the sessions that wait for this lock of ours while the session `pid` waits for them.

    CREATE INDEX CONCURRENTLY waits for every older snapshot, also that of Prisma's waiter, which its server process
    keeps long after Prisma gave up. Such a session has done nothing yet. One of a role that ours may not cancel stays.
    """
    with suppress(psycopg.errors.InsufficientPrivilege):
        opened.execute(END_WAITERS, _parts(key) | {"pid": pid})


def _parts(key: int) -> dict[str, int]:
    return {"high": key >> 32 & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
