"""Ending the sessions of an executor that was taken over or lost its link, before anything new is started."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import psycopg

from deployments.postgres.connect import NAME_PREFIX, Holder, Session, Target
from deployments.postgres.ledger import raise_fence, require_fence_not_ahead
from deployments.postgres.stopped import InDoubt

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.05

# Every session of an executor in this database with a fence below ours belongs to a predecessor: the slot is ours.
PREDECESSORS = f"""
SELECT pid, backend_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND substring(application_name FROM '^{NAME_PREFIX}job=[0-9]+/fence=([0-9]+)$')::numeric < %(fence)s
"""

# A link that broke may be whole at the server's end: it waits there, in a transaction, with its locks.
STRAYS = """
SELECT pid, backend_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = %(name)s
"""


@dataclass(frozen=True, slots=True)
class Backend:
    """One server process: a pid alone is used again, together with its start it is not."""

    pid: int
    started_at: datetime


def end_predecessors(session: Session, target: Target, holder: Holder) -> int:
    """End the sessions of earlier executors and wait until they are gone: until then a COMMIT of theirs may still land.

    Returns how many were ended. Raises InDoubt if one does not go within 30 seconds.
    """
    return _end(session, PREDECESSORS, {"fence": holder.fence}, target)


def end_strays(session: Session, target: Target, holder: Holder, *, watchers: Collection[Backend] = ()) -> int:
    """End every other session of this executor on the target, and wait until they are gone; return how many there were.

    For the beginning of an attempt, when it has no other. Raises InDoubt if one does not go within 30 seconds. For
    `watchers` nobody waits, the guards of earlier attempts: a session that only watched can commit nothing.
    """
    return _end(session, STRAYS, {"name": holder.session_name}, target, watchers)


def _end(
    session: Session, query: str, values: dict[str, object], target: Target, watchers: Collection[Backend] = ()
) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended: set[tuple[int, object]] = set()
    while found := session.execute(query, values).fetchall():
        for pid, started in found:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s",
                [pid, started],
            )
            ended.add((pid, started))
        working = [one for one in found if Backend(*one) not in watchers]
        if not working:
            break
        if time.monotonic() > deadline:
            raise InDoubt(
                what=f"an earlier attempt on {target.name}",
                why=f"{len(working)} of its sessions do not end within {PATIENCE_SECONDS:.0f} s",
            )
        time.sleep(LOOK_SECONDS)
    return len(ended)


def take_over(session: Session, target: Target, holder: Holder) -> int:
    """Make this holder the only one that can write: raise the fence, end everybody below it, wait until they are gone.

    Returns how many sessions were ended. Raises FenceLost, FenceAhead, InDoubt.
    """
    require_fence_not_ahead(session, target, holder)
    session.execute("SET lock_timeout = '1s'")
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended = 0
    while True:
        ended += end_predecessors(session, target, holder)
        try:
            raise_fence(session, target, holder)
        except psycopg.errors.LockNotAvailable as held:
            if time.monotonic() > deadline:
                raise InDoubt(what=f"an earlier attempt on {target.name}", why="the fence stays locked") from held
        else:
            break
    # A session opened before the fence rose is seen now; one opened after asks for the fence, and is refused.
    return ended + end_predecessors(session, target, holder)


def backend_of(session: Session) -> Backend:
    """Return the server process behind a session."""
    row = session.execute("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 # a session sees itself
    return Backend(*row)


def working_as(session: Session) -> dict[str, object]:
    """Return the server process and the transaction of a session that has written something, as values to show."""
    row = session.execute("SELECT pg_backend_pid(), pg_current_xact_id_if_assigned()::text").fetchone()
    assert row is not None  # noqa: S101 # a SELECT without FROM returns one row
    return {"pid": row[0], "transaction": row[1]}


def end_backend(session: Session, backend: Backend, *, what: str) -> None:
    """End a server process of ours and wait until it is gone. Raises InDoubt if it does not go within 30 seconds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    alive = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
    while session.execute(alive, [backend.pid, backend.started_at]).fetchone() is not None:
        if time.monotonic() > deadline:
            raise InDoubt(what=what, why=f"its session does not end within {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
