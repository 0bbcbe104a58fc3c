"""What an executor of a restoring job does first: what an earlier one left is brought to where it can go on from."""

from collections.abc import Callable
from uuid import UUID

from deployments.postgres.backup.scratch import Purpose, Scratch
from deployments.postgres.connect import Session, session
from deployments.postgres.sessions import take_over
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.server import ALL, Found, Swap, drop, end_earlier, look, maintenance, take_ready
from deployments.postgres.swap.writes import allow_writes


def recover(
    swap: Swap,
    *,
    control_plane_id: UUID,
    pooler: Pooler,
    log: Callable[[str], None],
    admit: Callable[[Session], None] = lambda _: None,
) -> Found:
    """Make this executor the only one that can swap, and return what there is then.

    Sessions may write again, a pooler lets its clients go on, what was left half restored is dropped, and a database
    that is ready belongs to this executor. May be called at any time, any number of times. `admit` looks at the
    application's database before anything is written there, and refuses by raising. Raises FenceLost if a
    successor was here, FenceAhead, SwapUnknown, InDoubt, and what opening a session raises.
    """
    with maintenance(swap, of=0) as opened:
        _end_earlier(opened, swap, log)  # one that hangs while it renames would let nobody in
        before = look(opened, swap)
    with session(swap.target, name=swap.holder.session_name) as opened:
        admit(opened)
    if allow_writes(swap):
        log("An earlier attempt had stopped the application's writes: they are allowed again")
    _take_over(swap)
    with maintenance(swap, of=0) as opened:
        _end_earlier(opened, swap, log)
        found = take_ready(opened, swap, look(opened, swap))
        for _, name, *_ in opened.execute(ALL).fetchall():
            left = Scratch.of(name)
            if left and is_left(left, swap, control_plane_id):
                drop(opened, name)
                log(f"Dropped {name}, which an earlier attempt had not finished")
    if found.production.oid != before.production.oid:  # an earlier one has swapped since we looked
        _take_over(swap)
    pooler.tell("after", target=swap.target.name, database=swap.production)
    return found


def _end_earlier(opened: Session, swap: Swap, log: Callable[[str], None]) -> None:
    found = look(opened, swap)
    there = [one.oid for one in (found.production, found.ready, found.kept) if one]
    if ended := end_earlier(opened, swap, there):
        log(f"{ended} sessions of an earlier attempt were ended")


def is_left(scratch: Scratch, swap: Swap, control_plane_id: UUID) -> bool:
    """Whether a database was made by an earlier executor of this job, to be restored into."""
    ours = Scratch.named(control_plane_id, Purpose.RESTORE, job=swap.holder.job, fence=scratch.fence)
    return scratch == ours and scratch.fence < swap.holder.fence


def _take_over(swap: Swap) -> None:
    with session(swap.target, name=swap.holder.session_name) as opened:
        take_over(opened, swap.target, swap.holder)
