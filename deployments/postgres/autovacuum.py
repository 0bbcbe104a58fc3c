"""An autovacuum in the way of a migration: one that may yield is made to, one against wraparound is waited for.

The server itself cancels an autovacuum that somebody waits for, but only after deadlock_timeout, 1 s by default, which
a lock_timeout of 500 ms never reaches (measured). So the wait is done beforehand, by a session that asks for SHARE
UPDATE EXCLUSIVE: that conflicts with autovacuum and with no read or write of the application, so nobody queues behind
it. The server does not cancel one against wraparound: without it the database would stop. What is sent without a
lock_timeout, such as CREATE INDEX CONCURRENTLY, needs none of this: it waits until the server has looked.
"""

import psycopg

from deployments.postgres.connect import Holder, Target, session
from deployments.postgres.guard import InTheWay
from deployments.postgres.ledger import raise_fence
from deployments.postgres.privileges import become_owner

KINDS = frozenset({"autovacuum", "anti-wraparound"})
# A moment longer than the server takes to look who is in the way.
PATIENCE = """
SELECT set_config('lock_timeout', (extract(epoch FROM current_setting('deadlock_timeout')::interval) * 1000 + 1000)::int
                  || 'ms', true)
"""


def make_way(target: Target, holder: Holder, one: InTheWay) -> bool:
    """Wait until an autovacuum has yielded: True if it has, False if it goes on, or cannot be asked to yield.

    Takes at most a second longer than the server's deadlock_timeout, and what the fence takes. Raises FenceLost, and
    what opening a session raises.
    """
    if one.kind != "autovacuum" or not one.relation:
        return False
    with session(target, name=holder.session_name, autocommit=False) as opened:
        try:
            raise_fence(opened, target, holder)  # a successor that comes after this ends the session
            opened.commit()
            opened.execute(PATIENCE)
            become_owner(opened, target)
            opened.execute(f"LOCK TABLE {one.relation} IN SHARE UPDATE EXCLUSIVE MODE".encode())  # quoted by the server
        except psycopg.Error:
            return False
        finally:
            opened.rollback()
    return True
