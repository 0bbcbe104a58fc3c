"""Running statements that refuse a transaction: intent, act, what the catalogue says after, done.

For now CREATE and DROP INDEX CONCURRENTLY; the plan refuses the others.
"""

import time
from dataclasses import dataclass
from enum import Enum, auto

import psycopg
from psycopg import sql

from checks.concurrent_index import ConcurrentIndex
from deployments.postgres.connect import Session, open_session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.history import require_still_open
from deployments.postgres.ledger import has_entry, raise_fence, write_entry
from deployments.postgres.privileges import become_owner
from deployments.postgres.script import Script, Sent
from deployments.postgres.sessions import Backend, backend_of
from deployments.postgres.stopped import InDoubt, LockNotObtained
from deployments.postgres.transactional import (
    LOST_ATTEMPTS,
    TRY_AGAIN,
    Worker,
    committed,
    failed,
    is_lost,
    statement_failed,
)

LEFTOVER_LOCK_SECONDS = 5.0  # how long dropping an unfinished index may wait for locks at a time
LEFTOVER_PAUSE = 1.0  # seconds


class Index(Enum):
    """What the catalogue says about an index."""

    ABSENT = auto()
    INVALID = auto()  # a leftover: it may cost every write and serves no read
    VALID = auto()


def run_alone(script: Script, worker: Worker) -> None:
    """Run each statement of a file by itself, and write the history row when all are done.

    What is done stays done: when it raises, the statements before are in force, and another attempt goes on after them.
    Raises StatementFailed, OverBudget, CancelledOnRequest, GuardLost, FenceLost, AlreadyApplied, InDoubt.
    """
    for sent in script.sent:
        if not _is_done(script, sent, worker):
            worker.tell(sent)
            _until_done(script, sent, worker)
    _write_history(script, worker)


def _until_done(script: Script, sent: Sent, worker: Worker) -> None:
    """Try until the catalogue shows what the statement is for. A try whose connection was lost is looked at first."""
    index = sent.concurrent_index
    if index is None:
        raise InDoubt(what=f"statement {sent.number} of {script.name}", why="it has no post-condition to look for")
    wanted = Index.ABSENT if index.action == "drop" else Index.VALID
    for _ in range(LOST_ATTEMPTS):
        worker.stop.require_may_start()
        intended = _intend(script, sent, worker)
        with session(worker.target, name=worker.holder.session_name) as opened:
            become_owner(opened, worker.target)
            found = look(opened, index).state
        if intended and found is wanted:
            break
        if found is Index.INVALID and index.action == "create":
            _until_dropped(script, worker, index)
        if _act(script, sent, worker, index):
            break
        worker.log(f"{script.name}: the connection was lost during statement {sent.number}; looking what it left")
    else:
        raise TargetUnreachable(target=worker.target.name, detail=f"the connection was lost {LOST_ATTEMPTS} times")
    _mark_done(script, sent, worker)


def _act(script: Script, sent: Sent, worker: Worker, index: ConcurrentIndex) -> bool:
    """Send the statement. True when the server says it is done, False when the connection was lost on the way."""
    opened = open_session(worker.target, name=worker.holder.session_name)
    try:
        # Asked in this very session: a successor that raises the fence after this sees the session, and ends it.
        raise_fence(opened, worker.target, worker.holder)
        # No lock_timeout: one that strikes while CREATE INDEX CONCURRENTLY waits leaves an INVALID index (E16).
        timeout = f"{worker.limits.statement_timeout.total_seconds():.0f}s"
        opened.execute(
            "SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', %s, false)", [timeout]
        )
        backend = backend_of(opened)
        become_owner(opened, worker.target)
        try:
            with worker.guard.watching(opened, script):
                opened.execute(sent.text.encode())
        except psycopg.Error as refused:
            lost = is_lost(opened, refused)
            if lost:
                committed(script, worker, backend)  # ends what may still work there
            if index.action == "create" and not lost:
                drop_leftover(worker, index)
            worker.guard.require_clear()
            if lost:
                return False
            raise statement_failed(script, sent, refused) from refused
    finally:
        opened.close()
    return True


@dataclass(frozen=True, slots=True)
class Found:
    """The state of an index, and the schema it was found in."""

    state: Index
    schema: str


def look(opened: Session, index: ConcurrentIndex) -> Found:
    """Return what the catalogue says of an index, by name in the schema of its table or along the search path."""
    row = opened.execute(
        "SELECT entry.indisvalid AND entry.indisready, nspname"
        " FROM pg_index entry JOIN pg_class class ON class.oid = indexrelid"
        " JOIN pg_namespace space ON space.oid = class.relnamespace"
        " WHERE class.relname = %(name)s AND class.relnamespace = coalesce("
        "  (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s),"
        "  (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(quote_ident(%(found_by)s))))",
        {"name": index.name, "schema": index.schema, "found_by": index.table or index.name},
    ).fetchone()
    if row is None:
        return Found(Index.ABSENT, "")
    return Found(Index.VALID if row[0] else Index.INVALID, row[1])


def _until_dropped(script: Script, worker: Worker, index: ConcurrentIndex) -> None:
    """Drop the leftover of an earlier attempt, as long as locks may be tried for."""
    worker.log(f"{script.name}: dropping the unfinished index {index.name} of an earlier attempt")
    deadline = time.monotonic() + worker.limits.lock_retry_limit.total_seconds()
    tries = 1
    while not drop_leftover(worker, index):
        if time.monotonic() > deadline:
            raise LockNotObtained(migration=script.name, tries=tries, blockers="", left=script.when_stopped)
        tries += 1
        worker.stop.wait(LEFTOVER_PAUSE)
        worker.stop.require_may_start()


def drop_leftover(worker: Worker, index: ConcurrentIndex) -> bool:
    """Drop an INVALID index if it is there, waiting for locks a moment. False if it had to stay."""
    with session(worker.target, name=worker.holder.session_name) as opened:
        become_owner(opened, worker.target)
        found = look(opened, index)
        if found.state is not Index.INVALID:
            return True
        opened.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LEFTOVER_LOCK_SECONDS * 1000:.0f}"])
        name = sql.Identifier(found.schema, str(index.name))
        try:
            opened.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))
        except psycopg.Error as refused:
            worker.log(f"the unfinished index {index.name} could not be dropped yet: {refused.diag.message_primary}")
            return False
    return True


EARLIER = """
SELECT 1 FROM locktender.statement
WHERE migration = %(migration)s AND direction = %(direction)s AND position = %(position)s AND sql = %(sql)s
  AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)
LIMIT 1
"""
_KEY = "job = %(job)s AND migration = %(migration)s AND direction = %(direction)s AND position = %(position)s"


def _key(script: Script, sent: Sent, worker: Worker) -> dict[str, object]:
    entry = script.entry
    return {
        "job": worker.holder.job,
        "migration": entry.migration,
        "direction": entry.direction,
        "position": sent.number,
        "fence": worker.holder.fence,
        "sql": sent.text,
        "post_condition": str(sent.concurrent_index),
    }


def _is_done(script: Script, sent: Sent, worker: Worker) -> bool:
    with session(worker.target, name=worker.holder.session_name) as opened:
        row = opened.execute(
            f"SELECT state FROM locktender.statement WHERE {_KEY}",  # constant text
            _key(script, sent, worker),
        ).fetchone()
    return row is not None and row[0] == "done"


def _intend(script: Script, sent: Sent, worker: Worker) -> bool:
    """Write that the statement is about to be sent; return whether an earlier attempt had written it.

    An attempt of another job counts too, as long as the migration was not applied or rolled back since.
    """
    with session(worker.target, name=worker.holder.session_name) as opened, opened.transaction():
        raise_fence(opened, worker.target, worker.holder)
        require_still_open(opened, worker.target, script.entry, worker.history)
        earlier = opened.execute(EARLIER, _key(script, sent, worker)).fetchone()
        opened.execute(
            "INSERT INTO locktender.statement"
            " (job, migration, direction, position, fence, state, sql, post_condition)"
            " VALUES (%(job)s, %(migration)s, %(direction)s, %(position)s, %(fence)s, 'intent', %(sql)s,"
            " %(post_condition)s) ON CONFLICT DO NOTHING",
            _key(script, sent, worker),
        )
        return earlier is not None


def _mark_done(script: Script, sent: Sent, worker: Worker) -> None:
    with session(worker.target, name=worker.holder.session_name) as opened, opened.transaction():
        raise_fence(opened, worker.target, worker.holder)
        opened.execute(
            f"UPDATE locktender.statement SET state = 'done', at = clock_timestamp() WHERE {_KEY}",
            _key(script, sent, worker),
        )


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
