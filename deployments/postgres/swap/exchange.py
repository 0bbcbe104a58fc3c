"""The swap itself: the restored database gets the application's name, in one transaction, while nobody is in either.

Renaming holds a lock on the database, behind which whoever wants to enter waits; only then are those who are inside
ended. So nobody can come in between, and there is no moment at which the name leads nowhere: if we die, the server lets
go of the lock, and the old database is there as before. Measured under eight clients: 0.16 to 0.22 s without an answer,
of which the server itself waits 0.1 s before it looks again whether everybody is gone.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from deployments.crash import crash_point
from deployments.postgres.connect import LINK_ERRORS, Session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.stop import Stop
from deployments.postgres.stopped import InDoubt
from deployments.postgres.swap.blockers import end_sessions, left_in, staying
from deployments.postgres.swap.errors import SwapBlocked, SwapUnknown
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.server import Database, Found, State, Swap, allow, look, maintenance, rename
from deployments.postgres.swap.writes import lift, stopped_by

LOOK_SECONDS = 0.01
LINK_PATIENCE_SECONDS = 30.0
LINK_PAUSE_SECONDS = 0.2
BROKEN = "the link to the server broke, and nothing was renamed"
# The application waits as long as this transaction is open, whatever becomes of us: the server ends it by itself.
LIMITS = """
SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '10s', true),
       set_config('idle_in_transaction_session_timeout', '3s', true)
"""
LIMIT = "SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = %s"
OIDS = "SELECT datname::text, oid::bigint FROM pg_catalog.pg_database WHERE datname = ANY (%s)"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """How it went. `unreachable_seconds` is from when nobody could enter any more until the new one was there."""

    production: Database
    kept: Database
    unreachable_seconds: float
    ended: int  # sessions


def exchange(swap: Swap, *, pooler: Pooler, stop: Stop, log: Callable[[str], None]) -> Exchanged:
    """Give the database that is ready the application's name, and keep the old one, which nobody can enter any more.

    Everybody in either is ended. Raises SwapBlocked if somebody does not go, SwapUnknown if nothing is ready for this
    executor, PoolerRefused, InDoubt, and what opening a session and `stop` raise: then nothing was renamed.
    """
    with maintenance(swap, of=0) as opened:
        found = look(opened, swap)
        ready = _require_ready(swap, found)
        blocked = staying(opened, swap.production) + staying(opened, swap.mine)
    if blocked:
        raise SwapBlocked(target=swap.target.name, blockers=blocked)
    with session(swap.target, name=swap.holder.session_name) as opened:
        is_stopped = bool(stopped_by(opened))
    stop.require_may_start()
    crash_point("swap-about-to-begin")
    pooler.tell("before", target=swap.target.name, database=swap.production)
    try:
        crash_point("swap-pooler-told")
        done = _rename_both(swap, found.production, ready, is_stopped=is_stopped)
    finally:
        pooler.tell("after", target=swap.target.name, database=swap.production)
    log(f"Exchanged in {done.unreachable_seconds:.2f} s; {done.ended} sessions were ended")
    return done


def _require_ready(swap: Swap, found: Found) -> Database:
    if found.state is not State.READY or found.ready is None or found.ready.name != swap.mine:
        names = [one.name for one in (found.production, found.ready, found.kept) if one]
        raise SwapUnknown(target=swap.target.name, found=names)
    return found.ready


def _rename_both(swap: Swap, old: Database, new: Database, *, is_stopped: bool) -> Exchanged:
    """Rename in a thread, and end everybody meanwhile: the rename waits for them at most five seconds."""
    with (
        maintenance(swap, of=old.oid) as renaming,
        maintenance(swap, of=new.oid) as ending,
        ThreadPoolExecutor(1, thread_name_prefix="renaming") as threads,
    ):
        began = time.monotonic()
        work = threads.submit(_in_one_transaction, renaming, swap, old, new, is_stopped=is_stopped)
        ended = 0
        try:
            while not wait([work], LOOK_SECONDS).done:
                with suppress(*LINK_ERRORS):  # then the rename fails by itself, within seconds
                    ended += sum(end_sessions(ending, one, if_there=swap.mine) for one in (swap.production, swap.mine))
        except BaseException:
            with suppress(psycopg.Error):
                renaming.cancel_safe(timeout=1.0)
            raise
        seconds = time.monotonic() - began
        failed = work.exception()
        if isinstance(failed, psycopg.errors.ObjectInUse | psycopg.errors.LockNotAvailable):
            blockers = left_in(ending, swap.production, swap.mine) or ["its name is locked by somebody"]
            raise SwapBlocked(target=swap.target.name, blockers=blockers) from failed
    if isinstance(failed, psycopg.Error) and not isinstance(failed, LINK_ERRORS):  # a successor has renamed it
        said = failed.diag.message_primary or type(failed).__name__
        raise SwapBlocked(target=swap.target.name, blockers=[f"the server refused it: {said}"]) from failed
    if failed is not None and not isinstance(failed, LINK_ERRORS):
        raise failed
    crash_point("swap-committed")
    kept = _kept_after_all(swap, old) if failed else replace(old, name=swap.names.kept, is_open=False)
    return Exchanged(replace(new, name=swap.production), kept, seconds, ended)


def _in_one_transaction(opened: Session, swap: Swap, old: Database, new: Database, *, is_stopped: bool) -> None:
    ours, kept = sql.Identifier(swap.mine), swap.names.kept
    with opened.transaction():
        opened.execute(LIMITS)
        # First of all what only the executor whose fence is in the name can touch: a successor has renamed it.
        (limit,) = opened.execute(LIMIT, [swap.mine]).fetchone() or (-1,)
        opened.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(ours, sql.Literal(limit)))
        rename(opened, swap.production, kept)
        crash_point("swap-one-renamed")
        rename(opened, swap.mine, swap.production)
        if dict(opened.execute(OIDS, [[swap.production, kept]]).fetchall()) != {
            swap.production: new.oid,
            kept: old.oid,
        }:
            raise SwapUnknown(target=swap.target.name, found=[swap.production, kept])
        allow(opened, kept, is_open=False)
        if is_stopped:  # the old one is to be as it was, should it be taken back
            lift(opened, kept)
        crash_point("swap-renamed")


def _kept_after_all(swap: Swap, old: Database) -> Database:
    """Return the old database under its new name, if the transaction was committed although its link broke.

    The server process may be at work yet: it is ended first, and only then is looked. Raises SwapBlocked if nothing was
    renamed, InDoubt if the server does not say.
    """
    deadline = time.monotonic() + LINK_PATIENCE_SECONDS
    while True:
        try:
            with maintenance(swap, of=0) as opened:
                end_own(opened, swap, old.oid)
                found = look(opened, swap)
        except (TargetUnreachable, *LINK_ERRORS) as away:
            if time.monotonic() > deadline:
                raise InDoubt(what=f"the exchange of {swap.target.name}", why="its server does not answer") from away
            time.sleep(LINK_PAUSE_SECONDS)
        else:
            if found.kept is not None and found.kept.oid == old.oid:
                return found.kept
            raise SwapBlocked(target=swap.target.name, blockers=[BROKEN])


def end_own(opened: Session, swap: Swap, oid: int) -> None:
    """End the session of this executor that renames, and wait until it is gone."""
    name = f"locktender/swap={oid}/fence={swap.holder.fence}"
    query = (
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
        " WHERE application_name = %s AND pid <> pg_catalog.pg_backend_pid()"
    )
    deadline = time.monotonic() + LINK_PATIENCE_SECONDS
    while opened.execute(query, [name]).fetchall():
        if time.monotonic() > deadline:
            raise InDoubt(what=f"the exchange of {swap.target.name}", why="its session does not end")
        time.sleep(LOOK_SECONDS)
