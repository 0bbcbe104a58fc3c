"""Running one transactional file: everything or nothing, with its history row in the same transaction."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.postgres.autovacuum import KINDS, make_way
from deployments.postgres.batches.progress import Told
from deployments.postgres.connect import Holder, Session, Target, open_session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.guard import Guard
from deployments.postgres.history import LayoutHistory, require_still_open
from deployments.postgres.ledger import has_entry, raise_fence, write_entry
from deployments.postgres.privileges import become_owner
from deployments.postgres.script import Limits, Script, Sent
from deployments.postgres.sessions import Backend, backend_of, end_backend, working_as
from deployments.postgres.settings import begin_limits, hold_end, hold_limits
from deployments.postgres.stop import Stop
from deployments.postgres.stopped import InDoubt, LockNotObtained, StatementFailed

TRY_AGAIN = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds
RECONNECT_PATIENCE = 60.0  # seconds to find out what a lost connection did
LOST_ATTEMPTS = 5
SERVER_ENDED = {"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}  # shutdown, crash, starting, too long
END = Sent(number=0, text="SET CONSTRAINTS ALL IMMEDIATE", line=0)


@dataclass(frozen=True, slots=True)
class Worker:
    """What running a file needs besides the file: where, in whose name, under whose eyes, and how to tell of it."""

    target: Target
    holder: Holder
    guard: Guard
    stop: Stop
    limits: Limits
    history: LayoutHistory
    tell: Callable[[Sent], None]  # before each statement
    log: Callable[[str], None]
    tell_session: Callable[[dict[str, object]], None] = lambda _: None  # who works, and in which transaction
    tell_batches: Callable[[Told], None] = lambda _: None  # how far a batched statement is
    tell_end: Callable[[Sent], None] = lambda _: None  # after each statement that was done
    came_on: Callable[[], None] = lambda: None  # after each commit that brought it on


def run_file(script: Script, worker: Worker) -> None:
    """Apply one file in one transaction, trying the whole of it again while only locks are in the way.

    When it returns, the file is committed, once. When it raises, nothing of it is: StatementFailed, LockNotObtained,
    OverBudget, CancelledOnRequest, GuardLost, FenceLost, AlreadyApplied, TargetUnreachable. InDoubt alone says that it
    is not known.
    """
    deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
    started = time.monotonic()
    tries = lost = 0
    while True:
        tries += 1
        began = time.monotonic()
        try:
            is_committed = _attempt(script, worker)
        except TargetUnreachable:
            if time.monotonic() - started > RECONNECT_PATIENCE:
                raise
            worker.stop.wait(0.2)
            continue
        except TRY_AGAIN as refused:
            if waits_for_autovacuum(script, worker):
                deadline += time.monotonic() - began + LONGEST_PAUSE  # it is waited for: that is no failure
            if time.monotonic() >= deadline:
                blockers = "; ".join(map(str, worker.guard.bill.blockers))
                raise LockNotObtained(
                    migration=script.name, tries=tries, blockers=blockers, left=script.when_stopped
                ) from refused
            worker.log(f"{script.name}: try {tries} rolled back ({refused.diag.message_primary}); trying again")
        else:
            if is_committed:
                return
            lost += 1
            worker.log(f"{script.name}: the connection was lost before the commit; nothing of it was applied")
            _give_up_after(lost, worker)
            continue
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 5)))  # noqa: S311 # no secret
        worker.stop.rest(min(pause, max(0.0, deadline - time.monotonic())))
        worker.guard.require_clear()
        worker.stop.require_may_go_on(f"before {script.name}, whose last try was rolled back")


def waits_for_autovacuum(script: Script, worker: Worker) -> bool:
    """Return whether an autovacuum was in the way of the last try. One that may yield has been made to."""
    found = next((one for one in worker.guard.bill.in_last_try if one.kind in KINDS), None)
    if found is None:
        return False
    if make_way(worker.target, worker.holder, found):
        worker.log(f"{script.name}: an autovacuum of {found.relation} was in the way, and has yielded")
    else:
        worker.log(f"{script.name}: waits for {found}")
    return True


def _give_up_after(lost: int, worker: Worker) -> None:
    if lost >= LOST_ATTEMPTS:
        raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {lost} times")


def _attempt(script: Script, worker: Worker) -> bool:
    """Try once. True when the file is committed, False when the connection was lost and it is not."""
    worker.stop.require_may_start()
    opened = open_session(worker.target, name=worker.holder.session_name, autocommit=False)
    backend: Backend | None = None
    try:
        with worker.guard.watching(opened, script):
            backend = backend_of(opened)
            _walk(opened, script, worker)
            opened.commit()
    except psycopg.Error as error:
        # First what the server did, then why: a cancel that came too late does not undo a commit.
        if is_lost(opened, error):
            if committed(script, worker, backend):
                return True
            worker.guard.require_clear()
            return False
        worker.guard.require_clear()
        if isinstance(error, TRY_AGAIN):
            raise
        raise failed(script, f"The transaction around {script.name}", error) from error
    finally:
        opened.close()
    return True


def is_lost(opened: Session, error: psycopg.Error) -> bool:
    """Return whether the connection is gone, so that the server's last answer is not known."""
    state = error.sqlstate or ""
    return opened.broken or opened.closed or state.startswith("08") or state in SERVER_ENDED


def _walk(opened: Session, script: Script, worker: Worker) -> None:
    """Everything between BEGIN and COMMIT."""
    begin_limits(opened, worker.limits)
    raise_fence(opened, worker.target, worker.holder)
    worker.tell_session(working_as(opened))
    require_still_open(opened, worker.target, script.entry, worker.history)
    become_owner(opened, worker.target)
    for sent in script.sent:
        worker.stop.require_may_start()
        worker.guard.require_clear()
        worker.tell(sent)
        hold_limits(opened, worker.limits, is_validation=sent.is_validation)
        _send(opened, script, sent, worker.guard)
        worker.tell_end(sent)
    hold_limits(opened, worker.limits)
    _send(opened, script, END, worker.guard)
    opened.execute("RESET ROLE")
    hold_end(opened, worker.limits)
    layout_row = worker.history.record(opened, worker.target, script.entry)
    write_entry(opened, script.entry, worker.holder, layout_row)
    worker.stop.require_may_start()
    crash_point("before-commit")


def _send(opened: Session, script: Script, sent: Sent, guard: Guard) -> None:
    try:
        opened.execute(sent.text.encode())
    except TRY_AGAIN:
        raise
    except psycopg.Error as refused:
        if is_lost(opened, refused):
            raise
        guard.require_clear()
        raise statement_failed(script, sent, refused) from refused


def statement_failed(script: Script, sent: Sent, refused: psycopg.Error) -> StatementFailed:
    """Return the server's refusal of a statement in our words, with its own kept verbatim."""
    if not sent.number:
        return failed(script, f"The end of {script.name}, where deferred constraints are checked,", refused)
    position = int(refused.diag.statement_position or 1)  # in characters, from 1
    line = sent.line + sent.text.count("\n", 0, position - 1)
    return failed(script, f"Statement {sent.number} of {script.name} (line {line})", refused)


def failed(script: Script, place: str, refused: psycopg.Error) -> StatementFailed:
    """Return the server's refusal of a part of a script."""
    told = refused.diag
    parts = (("Detail", told.message_detail), ("Hint", told.message_hint))
    return StatementFailed(
        place=place,
        sqlstate=refused.sqlstate or "unknown",
        message=told.message_primary or str(refused),
        detail="".join(f" {label}: {text.rstrip('.')}." for label, text in parts if text),
        left=script.when_stopped,
    )


def committed(script: Script, worker: Worker, backend: Backend | None) -> bool:
    """Find out what a lost connection did: end its server process, then read the history. Raises InDoubt."""
    deadline = time.monotonic() + RECONNECT_PATIENCE
    while True:
        try:
            with session(worker.target, name=worker.holder.session_name) as opened:
                if backend is not None:
                    end_backend(opened, backend, what=script.name)
                entry = script.entry
                return has_entry(opened, job=worker.holder.job, migration=entry.migration, direction=entry.direction)
        except InDoubt:
            raise
        except (DeploymentError, psycopg.Error) as unreachable:  # a standby after a failover, a role locked out, ...
            if time.monotonic() > deadline:
                raise InDoubt(what=script.name, why=f"the target does not answer: {unreachable}") from unreachable
            time.sleep(0.2)
