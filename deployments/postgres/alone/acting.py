"""Sending a statement that runs by itself, under the eyes of the guard."""

import psycopg

from checks.outside import Aim, Built, Found, IndexBuilt, Rebuilt, Repeated
from checks.outside.verdicts import new_remains
from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.postgres.alone.clearing import try_to_clear
from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import withdraw
from deployments.postgres.alone.rooms import Room
from deployments.postgres.connect import Session
from deployments.postgres.errors import FenceLost
from deployments.postgres.sessions import backend_of, working_as
from deployments.postgres.settings import LEAST_LONG, milliseconds
from deployments.postgres.transactional import TRY_AGAIN, committed, is_lost, statement_failed


def act(room: Room, aim: Aim, before: Found) -> bool:
    """Send the statement. True when the server says it is done, False when the connection was lost on the way.

    `before` is what was there. Raises StatementFailed with the server's refusal, what the guard stopped it by, and one
    of TRY_AGAIN where only a lock was in the way.
    """
    worker, sent = room.worker, room.sent
    opened = room.acting()
    try:
        backend = backend_of(opened)
        room.enter(opened)
        _limit(opened, room)
        worker.tell_session(working_as(opened))
        if isinstance(aim, Repeated):  # whose refusals are only warnings: "permission denied to vacuum, skipping it"
            opened.add_notice_handler(lambda told: _tell(room, told))
        try:
            with worker.guard.watching(opened, room.script):
                opened.execute(sent.text.encode())
        except psycopg.Error as refused:
            lost = is_lost(opened, refused)
            if lost:
                committed(room.script, worker, backend)  # ends what may still work there
            elif isinstance(aim, IndexBuilt | Rebuilt):
                with room.session() as looking:
                    left = new_remains(look(looking, aim), before)
                try_to_clear(room, left)
            worker.guard.require_clear()
            if lost:
                return False
            if isinstance(refused, TRY_AGAIN):
                raise
            if isinstance(aim, Built):  # refused as a whole: nothing of it can be there
                _take_back(room)
            raise statement_failed(room.script, sent, refused) from refused
    finally:
        opened.close()
    crash_point("statement-acted")
    return True


def _take_back(room: Room) -> None:
    """Withdraw the intent, as well as can be: the server's refusal is known, and nothing may hide it.

    An intent that stays is judged by the catalogue in the next attempt. Raises FenceLost.
    """
    try:
        room.record(lambda recording: withdraw(recording, room.script, room.sent, room.worker))
    except FenceLost:
        raise
    except (DeploymentError, psycopg.Error) as kept:
        room.worker.log(f"{room.what} was refused, but its intent stays: {kept}")


def _limit(opened: Session, room: Room) -> None:
    """Set how long it may wait and take, whatever the file has set.

    No lock_timeout for what works beside the application: one that strikes while CREATE INDEX CONCURRENTLY waits leaves
    an INVALID index (E16). The guard and the deadline end it.
    """
    limits = room.worker.limits
    lock = "0" if room.sent.has_no_lock_timeout else milliseconds(limits.lock_timeout)
    deadline = milliseconds(max(LEAST_LONG, limits.statement_timeout))
    opened.execute(
        "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)", [lock, deadline]
    )


def _tell(room: Room, told: psycopg.errors.Diagnostic) -> None:
    if told.severity_nonlocalized == "WARNING":
        room.worker.log(f"{room.script.name}: the server warns: {told.message_primary}")
