"""Stopping the application's writes while a restore goes on, so that nothing is written that would be lost.

`default_transaction_read_only` is what a session begins with. It lets the application read on, and it is no wall: a
session can switch it off for itself. So it is told as what it is, and what was written all the same is counted. Taking
CONNECT away holds for neither the owner of the database nor superusers, and for nobody who is in already.
"""

from psycopg import sql

from deployments.crash import crash_point
from deployments.postgres.connect import Session, session
from deployments.postgres.ledger import raise_fence
from deployments.postgres.swap.blockers import end_sessions
from deployments.postgres.swap.server import Swap, writing

READ_ONLY = "default_transaction_read_only"
IS_SET = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting, unnest(setconfig) one
               WHERE setrole = 0 AND one = 'default_transaction_read_only=on'
                 AND setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = %s))
"""
# Who stopped them is a row beside the fence, in the transaction that did it: a setting of our own takes a superuser.
NAMED = "stop writes"
NOTE = """
INSERT INTO locktender.statement (job, migration, direction, position, fence, state, sql, post_condition)
VALUES (%s, %s, 'forward', 0, %s, 'intent', %s, %s) ON CONFLICT DO NOTHING
"""
NOTED = "SELECT job FROM locktender.statement WHERE migration = %s AND direction = 'forward' AND position = 0"
FORGET = "DELETE FROM locktender.statement WHERE migration = %s AND direction = 'forward' AND position = 0"


def stop_writes(swap: Swap) -> int | None:
    """Have every session of the application's database begin as one that only reads, and end those that are in it.

    Returns how many were ended; None if somebody else made it so before, who then is also to undo it. Raises FenceLost,
    and what opening a session raises.
    """
    with session(swap.target, name=swap.holder.session_name) as opened:
        with writing(opened):
            raise_fence(opened, swap.target, swap.holder)
            if not stopped_by(opened) and opened.execute(IS_SET, [swap.production]).fetchone() == (True,):
                return None
            words = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
            command = words.format(sql.Identifier(swap.production)).as_string(opened)
            opened.execute(NOTE, [swap.holder.job, NAMED, swap.holder.fence, command, READ_ONLY])
            opened.execute(command.encode())
        crash_point("writes-stopped")
        return end_sessions(opened, swap.production)


def allow_writes(swap: Swap) -> bool:
    """Let sessions write again, if it was this job that stopped it; return whether it was. Raises as `stop_writes`."""
    with session(swap.target, name=swap.holder.session_name) as opened:
        if swap.holder.job not in stopped_by(opened):
            return False
        with writing(opened):
            raise_fence(opened, swap.target, swap.holder)
            forget(opened, swap.production)
        end_sessions(opened, swap.production)  # they would go on reading only, until they come again by themselves
    return True


def stopped_by(opened: Session) -> list[int]:
    """Return the jobs that stopped the writes of the database of a session, and have not allowed them again."""
    return [job for (job,) in opened.execute(NOTED, [NAMED])]


def forget(opened: Session, name: str) -> None:
    """Take back what `stop_writes` did to the database of a session, which has this name. In the caller's transaction.

    Also in one that was restored from a backup of while writes were stopped.
    """
    if stopped_by(opened):
        lift(opened, name)
        opened.execute(FORGET, [NAMED])


def lift(opened: Session, name: str) -> None:
    """Let the sessions of a database begin as ones that write."""
    words = sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only")
    opened.execute(words.format(sql.Identifier(name)))
