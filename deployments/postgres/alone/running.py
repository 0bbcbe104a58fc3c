"""Walking the statements of a file that is not one transaction: each by itself, each proved before the next."""

import psycopg

from checks.outside import Aim, Next, Rebuilt, shortcoming, verdict
from checks.outside.verdicts import Found, Past, new_remains
from deployments.crash import crash_point
from deployments.postgres.alone.acting import act
from deployments.postgres.alone.clearing import clear
from deployments.postgres.alone.inside import run_inside
from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import done_otherwise, is_done, past_of, write_done, write_intent
from deployments.postgres.alone.rooms import Room, rooms_of
from deployments.postgres.batches.run import run_batches
from deployments.postgres.connect import Session, open_session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.history import require_still_open
from deployments.postgres.ledger import has_entry, raise_fence, write_entry
from deployments.postgres.patience import Patience
from deployments.postgres.script import Script
from deployments.postgres.sessions import Backend, backend_of
from deployments.postgres.settings import begin_limits
from deployments.postgres.stopped import InDoubt
from deployments.postgres.transactional import (
    LOST_ATTEMPTS,
    TRY_AGAIN,
    Worker,
    committed,
    failed,
    is_lost,
)

CLEARINGS = 5  # how often what was left is cleared up before a person looks why it comes back
ALL_BUT_HISTORY = "Every statement of it is done and in force. Only its history row is missing: another run writes it."


def run_alone(script: Script, worker: Worker) -> None:
    """Run each statement of a file by itself, and write the history row when all are done.

    What is done stays done: when it raises, the statements before are in force, and another attempt goes on after them.
    Raises StatementFailed, OverBudget, CancelledOnRequest, PausedOnRequest, GuardLost, FenceLost, AlreadyApplied,
    LockNotObtained, InDoubt.
    """
    with session(worker.target, name=worker.holder.session_name) as opened:
        others = done_otherwise(opened, script, worker)
    for position in others:
        worker.log(
            f"{script.name}: an earlier attempt has done statement {position} as the file has it no more: "
            "what that did is in force"
        )
    for room in rooms_of(script, worker):
        if not _is_done(room):
            worker.stop.require_may_go_on(f"before {room.what}")
            worker.tell(room.sent)
            (_in_batches if room.sent.batch else _until_done)(room)
            worker.tell_end(room.sent)
            worker.came_on()
            crash_point("statement-done")
    _write_history(script, worker)


def _in_batches(room: Room) -> None:
    """Run a batched statement: its own rows say how far it is, ours that it was begun and that it is done."""
    script, sent, worker = room.script, room.sent, room.worker

    def intend(recording: Session) -> None:
        require_still_open(recording, worker.target, script.entry, worker.history)
        write_intent(recording, script, sent, worker, before=Found())

    room.record(intend, resting=f"before {room.what}")
    run_batches(script, sent, worker, room.enter)
    room.record(lambda recording: write_done(recording, script, sent, worker), is_done=True)


def _until_done(room: Room) -> None:
    """Try until the statement is proved to be done. A try whose connection was lost is looked at first."""
    worker = room.worker
    # What has a transaction of its own is rolled back as a whole; of what has none, something may be left half done.
    resting = f"before {room.what}" if room.sent.aim is None else ""
    patience = Patience(room.script, worker, what=room.what, left=room.left, is_watched=True, resting=resting)
    lost = 0
    while True:
        worker.stop.require_may_start()
        try:
            if _try(room):
                return
        except TRY_AGAIN as refused:
            patience.refused(refused)
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
        return _was_done_inside(room) or run_inside(room)
    before = _ready(room, aim)
    if before is not None:
        if not act(room, aim, before):
            return False
        if problem := shortcoming(aim, _made(room, aim), before):
            raise InDoubt(what=room.what, why=problem)
    room.record(lambda recording: write_done(recording, room.script, room.sent, room.worker), is_done=True)
    return True


def _made(room: Room, aim: Aim) -> Found:
    """Return what is there after the server said that the statement is done.

    It has a patience of its own: a build may have taken longer than anything is tried for. Raises LockNotObtained.
    """
    patience = Patience(room.script, room.worker, what=f"The look at what {room.what} made", left=room.left_done)
    while True:
        try:
            with room.session() as opened:
                return look(opened, aim)
        except TRY_AGAIN as refused:
            patience.refused(refused)


def _was_done_inside(room: Room) -> bool:
    """Return whether an earlier job has done a statement that has a transaction of its own; then it is ours too.

    Its row was committed with it. Raises InDoubt where that may not count, and why.
    """
    script, sent, worker = room.script, room.sent, room.worker

    def asked(recording: Session) -> Past:
        require_still_open(recording, worker.target, script.entry, worker.history)
        past = past_of(recording, script, sent, worker)
        if past.was_done:
            write_done(recording, script, sent, worker)
        return past

    past = room.record(asked, resting=f"before {room.what}")
    if past.was_attempted and not past.was_done:
        raise InDoubt(what=room.what, why=past.why)
    return past.was_done


def _ready(room: Room, aim: Aim) -> Found | None:
    """Write the intent, clear up what earlier attempts left, and return what is there before the statement is sent.

    None if the catalogue shows that one of them was done after all. Raises InDoubt if a person has to say.
    """
    script, sent, worker = room.script, room.sent, room.worker
    with room.session() as opened:
        found = look(opened, aim)

    def intend(recording: Session) -> Past:
        require_still_open(recording, worker.target, script.entry, worker.history)
        past = past_of(recording, script, sent, worker)
        write_intent(recording, script, sent, worker, before=found)
        return past

    past = room.record(intend)
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
    patience = Patience(script, worker, what=f"The history row of {script.name}", left=ALL_BUT_HISTORY)
    lost = 0
    while lost < LOST_ATTEMPTS:
        backend: Backend | None = None
        opened = open_session(worker.target, name=worker.holder.session_name, autocommit=False)
        try:
            backend = backend_of(opened)
            begin_limits(opened, worker.limits)
            raise_fence(opened, worker.target, worker.holder)
            if not has_entry(opened, job=worker.holder.job, migration=entry.migration, direction=entry.direction):
                require_still_open(opened, worker.target, entry, worker.history)
                layout_row = worker.history.record(opened, worker.target, entry)
                write_entry(opened, entry, worker.holder, layout_row)
            opened.commit()
        except psycopg.Error as error:
            if not is_lost(opened, error):
                if not isinstance(error, TRY_AGAIN):
                    raise failed(script, f"Recording {script.name}", error) from error
                opened.close()  # it holds the fence
                patience.refused(error)
                continue
            if committed(script, worker, backend):
                return
            lost += 1
        else:
            return
        finally:
            opened.close()
    raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {LOST_ATTEMPTS} times")
