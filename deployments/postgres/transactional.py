"""Running one transactional file: everything or nothing, with its history row in the same transaction."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import sql

from deployments.crash import crash_point
from deployments.postgres.connect import Holder, Session, Target, open_session, session
from deployments.postgres.errors import (
    InDoubt,
    LockNotObtained,
    StatementFailed,
    TargetUnreachable,
)
from deployments.postgres.guard import Guard
from deployments.postgres.history import LayoutHistory
from deployments.postgres.ledger import has_entry, raise_fence, require_still_open, write_entry
from deployments.postgres.script import Limits, Script, Sent
from deployments.postgres.sessions import Backend, backend_of, end_backend
from deployments.postgres.stop import Stop

TRY_AGAIN = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds
_MILLISECOND = timedelta(milliseconds=1)
RECONNECT_PATIENCE = 60.0  # seconds to find out what a lost connection did
LOST_ATTEMPTS = 5
SERVER_ENDED = {"57P01", "57P02", "57P03", "57P05", "25P03"}  # shutdown, crash, starting, idle too long
NOTHING_SENT = Sent(number=0, text="", line=1, concurrent_index=None)


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


def run_file(script: Script, worker: Worker) -> None:
    """Apply one file in one transaction, trying the whole of it again while only locks are in the way.

    When it returns, the file is committed, once. When it raises, nothing of it is: StatementFailed, LockNotObtained,
    OverBudget, CancelledOnRequest, GuardLost, FenceLost, AlreadyApplied. InDoubt alone says that it is not known.
    """
    deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
    started = time.monotonic()
    tries = lost = 0
    while True:
        tries += 1
        try:
            if not _attempt(script, worker):
                lost += 1
                worker.log(f"{script.name}: the connection was lost before the commit; nothing of it was applied")
                _give_up_after(lost, worker)
                continue
        except TargetUnreachable:
            if time.monotonic() - started > RECONNECT_PATIENCE:
                raise
            worker.stop.wait(0.2)
            continue
        except TRY_AGAIN as refused:
            if time.monotonic() > deadline:
                blockers = "; ".join(worker.guard.bill.blockers)
                raise LockNotObtained(migration=script.name, tries=tries, blockers=blockers) from refused
            worker.log(f"{script.name}: try {tries} rolled back ({refused.diag.message_primary}); trying again")
        else:
            return
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 5))
        worker.stop.wait(random.uniform(0, pause))  # noqa: S311 # jitter, not a secret
        worker.guard.require_clear()


def _give_up_after(lost: int, worker: Worker) -> None:
    if lost >= LOST_ATTEMPTS:
        raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {lost} times")


def _attempt(script: Script, worker: Worker) -> bool:
    """Try once. True when the file is committed, False when the connection was lost and it is not."""
    worker.stop.require_may_start()
    worker.guard.require_clear()
    opened = open_session(worker.target, name=worker.holder.session_name, autocommit=False)
    backend: Backend | None = None
    try:
        with worker.guard.watching(opened, script.name):
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
        raise statement_failed(script, script.sent[-1] if script.sent else NOTHING_SENT, error) from error
    finally:
        opened.close()
    return True


def is_lost(opened: Session, error: psycopg.Error) -> bool:
    """Return whether the connection is gone, so that the server's last answer is not known."""
    state = error.sqlstate or ""
    return opened.broken or opened.closed or state.startswith("08") or state in SERVER_ENDED


def _walk(opened: Session, script: Script, worker: Worker) -> None:
    """Everything between BEGIN and COMMIT."""
    limits = worker.limits
    opened.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
        " set_config('idle_in_transaction_session_timeout', '10s', true),"
        " set_config('client_connection_check_interval', '1s', true)",
        [f"{limits.lock_timeout / _MILLISECOND:.0f}", f"{limits.statement_timeout / _MILLISECOND:.0f}"],
    )
    raise_fence(opened, worker.target, worker.holder)
    require_still_open(opened, script.entry)
    if worker.target.owner_role:
        opened.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(worker.target.owner_role)))
    for sent in script.sent:
        worker.stop.require_may_start()
        worker.guard.require_clear()
        worker.tell(sent)
        _send(opened, script, sent, worker.guard)
    opened.execute("SET CONSTRAINTS ALL IMMEDIATE")
    worker.history.record(opened, script.entry)
    opened.execute("RESET ROLE")
    write_entry(opened, script.entry, worker.holder)
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
    told = refused.diag
    parts = [
        f" {label}: {text}." for label, text in (("Detail", told.message_detail), ("Hint", told.message_hint)) if text
    ]
    line = sent.line
    if told.statement_position:
        line += sent.text.encode()[: int(told.statement_position) - 1].count(b"\n")
    return StatementFailed(
        migration=script.name,
        number=sent.number,
        line=line,
        sqlstate=refused.sqlstate or "unknown",
        message=told.message_primary or str(refused),
        detail="".join(parts),
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
        except (TargetUnreachable, psycopg.OperationalError) as unreachable:
            if time.monotonic() > deadline:
                raise InDoubt(what=script.name, why=f"the target does not answer: {unreachable}") from unreachable
            time.sleep(0.2)
