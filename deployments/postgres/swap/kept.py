"""The old database after a swap: taken back by another swap, or dropped when its time is over."""

from deployments.postgres.connect import session
from deployments.postgres.swap.errors import KeptMissing
from deployments.postgres.swap.ledger import hold, make_ready
from deployments.postgres.swap.server import ALL, Database, Swap, allow, drop, look, maintenance

SIZE = "SELECT pg_catalog.pg_database_size(%s::name)"


def kept_database(swap: Swap, *, name: str, oid: int) -> Database:
    """Return a database that an earlier job kept. Raises KeptMissing if it is gone, or another one has its name."""
    with maintenance(swap, of=0) as opened:
        found = [Database(*row) for row in opened.execute(ALL).fetchall()]
    kept = next((one for one in found if one.name == name and one.oid == oid), None)
    if kept is None:
        raise KeptMissing(target=swap.target.name, name=name)
    return kept


def take_back(swap: Swap, *, name: str, oid: int) -> None:
    """Make a database that an earlier job kept ready to be swapped in again, with the fence of this executor.

    It is as it was when it was kept: nothing was written in it since. Raises KeptMissing, FenceLost, FenceAhead, and
    what opening a session raises.
    """
    with maintenance(swap, of=0) as opened:
        found = look(opened, swap)
    if found.ready is None:
        kept_database(swap, name=name, oid=oid)
        make_ready(swap, name, is_open=False)
    elif found.ready.oid != oid:
        raise KeptMissing(target=swap.target.name, name=name)
    hold(swap, swap.mine)


def drop_kept(swap: Swap, *, name: str, oid: int) -> bool:
    """Drop a database that was kept; False if it is not there any more, or somebody has opened it again.

    Raises what opening a session raises, and psycopg.Error.
    """
    with maintenance(swap, of=oid) as opened:
        found = {row[1]: Database(*row) for row in opened.execute(ALL).fetchall()}
        kept = found.get(name)
        if kept is None or kept.oid != oid or kept.is_open:
            return False
        drop(opened, name)
    return True


def close_again(swap: Swap, name: str) -> None:
    """Let nobody into a kept database any more, and end who is in it. It is no error if it is not there."""
    with maintenance(swap, of=0) as opened:
        if any(row[1] == name for row in opened.execute(ALL).fetchall()):
            allow(opened, name, is_open=False)


def size_of(swap: Swap) -> int:
    """Return how many bytes the application's database takes."""
    with session(swap.target, name=swap.holder.session_name) as opened:
        row = opened.execute(SIZE, [swap.production]).fetchone()
    return int(row[0]) if row else 0
