"""Taking away, or finishing, what a cut-off attempt left: INVALID indexes, partitions whose detaching is pending."""

import random
import time
from collections.abc import Callable
from functools import partial

import psycopg
from psycopg import sql

from checks.outside import Aim, Detached, Remains
from deployments.crash import crash_point
from deployments.postgres.alone.rooms import Room
from deployments.postgres.connect import Session
from deployments.postgres.stopped import LockNotObtained
from deployments.postgres.transactional import TRY_AGAIN, waits_for_autovacuum

LOCK_SECONDS = 5.0  # how long it may wait for locks at a time
PAUSE_SECONDS = 1.0

# Who works on the table as builds and VACUUM do: an index that is INVALID because it is being built by somebody now is
# no leftover, and would be dropped as soon as it is complete.
_AT_WORK = """
SELECT string_agg(DISTINCT format('pid %%s', pid), ', ') FROM pg_locks
WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation = (SELECT indrelid FROM pg_index WHERE indexrelid = %s)
  AND mode = 'ShareUpdateExclusiveLock' AND granted AND pid <> pg_backend_pid()
"""
# An index can only be dropped by its name, and by now that may be the name of another one.
_STILL_INVALID = """
SELECT NOT (indisvalid AND indisready) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indexrelid = %s AND relnamespace = to_regnamespace(quote_ident(%s)) AND relname = %s
"""


def clear(room: Room, aim: Aim, remains: tuple[Remains, ...]) -> None:
    """Clear up what an earlier attempt left, as long as locks may be tried for.

    Raises LockNotObtained, FenceLost, CancelledOnRequest, and what the guard stopped it by.
    """
    for left in remains:
        if isinstance(aim, Detached):
            room.worker.log(f"{room.script.name}: finishing to detach {left.name}, which an earlier attempt began")
            _until_done(room, partial(_finalize, aim))
        else:
            room.worker.log(f"{room.script.name}: dropping the unfinished index {left.name} of an earlier attempt")
            _until_done(room, partial(drop_leftover, room, left))
    crash_point("leftover-cleared")


def drop_leftover(room: Room, left: Remains, opened: Session) -> bool:
    """Drop an INVALID index if it still is one of that name, waiting for locks a moment. False if it had to stay.

    The session is one of `Room.clearing`: a successor ends it before it builds an index of the same name.
    """
    row = opened.execute(_STILL_INVALID, [left.oid, left.schema, left.name]).fetchone()
    if row is None or not row[0]:
        return True
    busy = opened.execute(_AT_WORK, [left.oid]).fetchone()
    if busy and busy[0]:
        room.worker.log(f"the unfinished index {left.name} is left alone while its table is worked on by {busy[0]}")
        return False
    opened.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS * 1000:.0f}"])
    try:
        name = sql.Identifier(left.schema, left.name)
        opened.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))
    except TRY_AGAIN as refused:
        room.worker.log(f"the unfinished index {left.name} could not be dropped yet: {refused.diag.message_primary}")
        return False
    return True


def _finalize(aim: Detached, opened: Session) -> bool:
    """Finish a detach, waiting for locks a moment: it takes the partition for itself. False if it has to wait."""
    table, partition = (
        sql.Identifier(*(part for part in name if part is not None)) for name in (aim.table, aim.partition)
    )
    opened.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS * 100:.0f}"])
    try:
        opened.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {} FINALIZE").format(table, partition))
    except TRY_AGAIN:
        return False
    return True


def _until_done(room: Room, act: Callable[[Session], bool]) -> None:
    worker = room.worker
    deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
    tries = 1
    while True:
        worker.stop.require_may_start()
        try:
            with room.clearing() as opened, worker.guard.watching(opened, room.script):
                is_done = act(opened)
        finally:
            worker.guard.require_clear()
        if is_done:
            return
        if waits_for_autovacuum(room.script, worker):  # FINALIZE has less patience than the server
            deadline += LOCK_SECONDS
        if time.monotonic() > deadline:
            blockers = "; ".join(map(str, worker.guard.bill.blockers))
            raise LockNotObtained(migration=room.script.name, tries=tries, blockers=blockers, left=room.left)
        tries += 1
        worker.stop.wait(random.uniform(PAUSE_SECONDS / 2, PAUSE_SECONDS))  # noqa: S311 # jitter, not a secret


def try_to_clear(room: Room, remains: tuple[Remains, ...]) -> None:
    """Drop what a refused statement left at once, as well as can be: what has to stay is for the next attempt.

    Raises FenceLost.
    """
    try:
        with room.clearing() as opened:
            for left in remains:
                drop_leftover(room, left, opened)
    except psycopg.Error as refused:
        room.worker.log(f"an unfinished index could not be dropped yet: {refused.diag.message_primary}")
