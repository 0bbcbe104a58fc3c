"""What Locktender remembers in a database that was restored, brought to what is so now, before it may be swapped in.

Its history stays as the backup has it: what was applied later is not there, so it is not said to be. Whose database it
is and which fence holds are of now, or an executor that was overtaken long ago could write into it.
"""

from uuid import UUID

from deployments.crash import crash_point
from deployments.postgres.connect import session
from deployments.postgres.errors import FenceAhead
from deployments.postgres.ledger import installation_sql, raise_fence
from deployments.postgres.lives import Known, readopt
from deployments.postgres.swap.server import Swap, allow, rename, writing
from deployments.postgres.swap.writes import forget

IS_THERE = "SELECT pg_catalog.to_regclass('locktender.meta') IS NOT NULL"
NAME_IT = "UPDATE locktender.meta SET database_name = %s"
RAISE = "UPDATE locktender.fence SET fence = %(fence)s WHERE fence <= %(fence)s"
FENCE = "SELECT fence FROM locktender.fence"


def prepare(swap: Swap, name: str, *, control_plane_id: UUID, known: Known) -> None:
    """Make the database of that name ours under the name of the application's, with the fence of this executor.

    A backup of before Locktender was installed gets the schema now, with an empty history. Raises FenceAhead if it has
    seen a higher fence than any there is now, and what opening a session raises.
    """
    place = swap.inside(name)
    with session(place, name=swap.holder.session_name) as opened:
        opened.execute("SET default_transaction_read_only = off")  # the backup may be of while writes were stopped
        if opened.execute(IS_THERE).fetchone() != (True,):
            wanted = installation_sql(control_plane_id=control_plane_id, database_id=swap.target.database_id)
            opened.execute(wanted.encode())
    readopt(place, control_plane_id=control_plane_id, known=known)
    hold(swap, name)
    crash_point("swap-ledger-written")


def hold(swap: Swap, name: str) -> None:
    """Give a database the fence of this executor, and the application's name to know itself by. Raises FenceAhead."""
    with session(swap.inside(name), name=swap.holder.session_name) as opened, writing(opened):
        forget(opened, name)  # the backup may be of while writes were stopped
        opened.execute(NAME_IT, [swap.production])
        if opened.execute(RAISE, {"fence": swap.holder.fence}).rowcount != 1:
            seen = opened.execute(FENCE).fetchone()
            knows = f"was restored with fence {seen[0] if seen else None}, but this run holds {swap.holder.fence}"
            raise FenceAhead(target=swap.target.name, knows=knows)


def make_ready(swap: Swap, name: str, *, is_open: bool = True) -> None:
    """Give a database the name by which this executor may swap it in, unless a successor has the application's.

    It is done from within the application's database, in one transaction with its fence: an executor that was overtaken
    makes nothing ready. Raises FenceLost, and psycopg.Error.
    """
    with session(swap.target, name=swap.holder.session_name) as opened, writing(opened):
        raise_fence(opened, swap.target, swap.holder)
        if not is_open:
            allow(opened, name, is_open=True)
        rename(opened, name, swap.mine)
    crash_point("swap-ready")


def put_back(swap: Swap, to: str) -> None:
    """Give the database that was to be swapped in its former name again, and close it. Raises as `make_ready` does."""
    with session(swap.target, name=swap.holder.session_name) as opened, writing(opened):
        raise_fence(opened, swap.target, swap.holder)
        rename(opened, swap.mine, to)
        allow(opened, to, is_open=False)
