"""A statement of a mixed file that can run in a transaction: it has one of its own, and is recorded in the same."""

import psycopg

from deployments.crash import crash_point
from deployments.postgres.alone.records import is_done, write_done
from deployments.postgres.alone.rooms import Room
from deployments.postgres.connect import open_session, session
from deployments.postgres.history import require_still_open
from deployments.postgres.ledger import raise_fence
from deployments.postgres.sessions import Backend, backend_of, working_as
from deployments.postgres.settings import begin_limits, hold_end, hold_limits
from deployments.postgres.transactional import END, TRY_AGAIN, committed, is_lost, statement_failed


def run_inside(room: Room) -> bool:
    """Run one statement with the row that says so. False when the connection was lost and it is not done.

    Raises StatementFailed, what the guard stopped it by, FenceLost, AlreadyApplied, InDoubt, and one of TRY_AGAIN where
    only a lock was in the way.
    """
    worker, sent, script = room.worker, room.sent, room.script
    opened = open_session(worker.target, name=worker.holder.session_name, autocommit=False)
    backend: Backend | None = None
    place = sent
    try:
        with worker.guard.watching(opened, script, statements=2):  # and the check of its constraints
            backend = backend_of(opened)
            begin_limits(opened, worker.limits)
            raise_fence(opened, worker.target, worker.holder)
            worker.tell_session(working_as(opened))
            require_still_open(opened, worker.target, script.entry, worker.history)
            room.enter(opened)
            hold_limits(opened, worker.limits, is_validation=sent.is_validation)
            opened.execute(sent.text.encode())
            place = END
            hold_limits(opened, worker.limits)
            opened.execute(END.text.encode())
            opened.execute("RESET ROLE")
            hold_end(opened, worker.limits)
            write_done(opened, script, sent, worker)
            worker.stop.require_may_start()
            crash_point("before-commit")
            opened.commit()
    except psycopg.Error as refused:
        lost = is_lost(opened, refused)
        if lost and _is_recorded(room, backend):
            return True
        worker.guard.require_clear()
        if lost:
            return False
        if isinstance(refused, TRY_AGAIN):
            raise
        raise statement_failed(script, place, refused) from refused
    finally:
        opened.close()
    return True


def _is_recorded(room: Room, backend: Backend | None) -> bool:
    """Find out what a lost connection did: end its server process, then read the row. Raises InDoubt."""
    committed(room.script, room.worker, backend)
    with session(room.worker.target, name=room.worker.holder.session_name) as opened:
        return is_done(opened, room.script, room.sent, room.worker)
