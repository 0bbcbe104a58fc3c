"""Walking the statements of a file that is not one transaction: each by itself, each proved before the next."""

import random
import time

import psycopg

from checks.outside import Aim, Next, Rebuilt, shortcoming, verdict
from checks.outside.verdicts import Found, new_remains
from deployments.crash import crash_point
from deployments.postgres.alone.acting import act
from deployments.postgres.alone.clearing import clear
from deployments.postgres.alone.inside import run_inside
from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import is_done, past_of, write_done, write_intent
from deployments.postgres.alone.rooms import Room, rooms_of
from deployments.postgres.batches.run import run_batches
from deployments.postgres.connect import open_session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.history import require_still_open
from deployments.postgres.ledger import has_entry, raise_fence, write_entry
from deployments.postgres.script import Script
from deployments.postgres.sessions import Backend, backend_of
from deployments.postgres.stopped import InDoubt, LockNotObtained
from deployments.postgres.transactional import (
    LOST_ATTEMPTS,
    TRY_AGAIN,
    Worker,
    committed,
    failed,
    is_lost,
    waits_for_autovacuum,
)

CLEARINGS = 5  # how often what was left is cleared up before a person looks why it comes back
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two tries for a lock


def run_alone(script: Script, worker: Worker) -> None:
    """Run each statement of a file by itself, and write the history row when all are done.

    What is done stays done: when it raises, the statements before are in force, and another attempt goes on after them.
    Raises StatementFailed, OverBudget, CancelledOnRequest, PausedOnRequest, GuardLost, FenceLost, AlreadyApplied,
    LockNotObtained, InDoubt.
    """
    for room in rooms_of(script, worker):
        if not _is_done(room):
            worker.stop.require_may_go_on(f"before {room.what}")
            worker.tell(room.sent)
            (_in_batches if room.sent.batch else _until_done)(room)
            worker.tell_end(room.sent)
            crash_point("statement-done")
    _write_history(script, worker)


def _in_batches(room: Room) -> None:
    """Run a batched statement: its own rows say how far it is, ours that it was begun and that it is done."""
    with room.recording() as recording:
        require_still_open(recording, room.worker.target, room.script.entry, room.worker.history)
        write_intent(recording, room.script, room.sent, room.worker, before=Found())
    run_batches(room.script, room.sent, room.worker, room.enter)
    with room.recording() as recording:
        write_done(recording, room.script, room.sent, room.worker)


def _until_done(room: Room) -> None:
    """Try until the statement is proved to be done. A try whose connection was lost is looked at first."""
    worker = room.worker
    deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
    lost = tries = 0
    while True:
        worker.stop.require_may_start()
        tries += 1
        began = time.monotonic()
        try:
            if _try(room):
                return
        except TRY_AGAIN as refused:
            if waits_for_autovacuum(room.script, worker):
                deadline += time.monotonic() - began + LONGEST_PAUSE  # it is waited for: that is no failure
            if time.monotonic() > deadline:
                blockers = "; ".join(map(str, worker.guard.bill.blockers))
                name = room.script.name
                raise LockNotObtained(migration=name, tries=tries, blockers=blockers, left=room.left) from refused
            worker.log(f"{room.what}: try {tries} waited for a lock ({refused.diag.message_primary}); trying again")
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 5))
            worker.stop.wait(random.uniform(0, pause))  # noqa: S311 # jitter, not a secret
            continue
        lost += 1
        worker.log(
            f"{room.script.name}: the connection was lost during statement {room.sent.number}; looking what it left"
        )
        if lost >= LOST_ATTEMPTS:
            raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {lost} times")


def _try(room: Room) -> bool:
    """Try once. False when the connection was lost on the way."""
    aim = room.sent.aim
    if aim is None:
        return run_inside(room)
    before = _ready(room, aim)
    if before is not None:
        if not act(room, aim, before):
            return False
        with room.session() as opened:
            found = look(opened, aim)
        if problem := shortcoming(aim, found, before):
            raise InDoubt(what=room.what, why=problem)
    with room.recording() as recording:
        write_done(recording, room.script, room.sent, room.worker)
    return True


def _ready(room: Room, aim: Aim) -> Found | None:
    """Write the intent, clear up what earlier attempts left, and return what is there before the statement is sent.

    None if the catalogue shows that one of them was done after all. Raises InDoubt if a person has to say.
    """
    script, sent, worker = room.script, room.sent, room.worker
    with room.session() as opened:
        found = look(opened, aim)
    with room.recording() as recording:
        require_still_open(recording, worker.target, script.entry, worker.history)
        past = past_of(recording, script, sent, worker)
        write_intent(recording, script, sent, worker, before=found)
    crash_point("statement-intended")
    for _ in range(CLEARINGS):
        judged = verdict(aim, found, past)
        match judged.next:
            case Next.DONE:
                return None
            case Next.SEND:
                return found
            case Next.DOUBT:
                raise InDoubt(what=room.what, why=judged.why)
        left = new_remains(found, past.before) if isinstance(aim, Rebuilt) else found.unfinished
        clear(room, aim, left)
        with room.session() as opened:
            found = look(opened, aim)
    raise InDoubt(what=room.what, why=f"what earlier attempts left comes back, {CLEARINGS} times now")


def _is_done(room: Room) -> bool:
    with session(room.worker.target, name=room.worker.holder.session_name) as opened:
        return is_done(opened, room.script, room.sent, room.worker)


def _write_history(script: Script, worker: Worker) -> None:
    """Write the history row in a transaction of its own; after a lost connection the row says whether it stands."""
    entry = script.entry
    for _ in range(LOST_ATTEMPTS):
        backend: Backend | None = None
        opened = open_session(worker.target, name=worker.holder.session_name, autocommit=False)
        try:
            backend = backend_of(opened)
            raise_fence(opened, worker.target, worker.holder)
            if not has_entry(opened, job=worker.holder.job, migration=entry.migration, direction=entry.direction):
                require_still_open(opened, worker.target, entry, worker.history)
                layout_row = worker.history.record(opened, worker.target, entry)
                write_entry(opened, entry, worker.holder, layout_row)
            opened.commit()
        except psycopg.Error as error:
            if not is_lost(opened, error):
                if isinstance(error, TRY_AGAIN):
                    raise
                raise failed(script, f"Recording {script.name}", error) from error
            if committed(script, worker, backend):
                return
        else:
            return
        finally:
            opened.close()
    raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {LOST_ATTEMPTS} times")
