"""What a restoring job does around its steps: begin where an earlier executor stopped, and let go when it stops."""

import time
from contextlib import AbstractContextManager

from django.conf import settings

from deployments.errors import DeploymentError
from deployments.models import Backup, KeptDatabase
from deployments.pipelines.contract import PlanMoved, StepContext
from deployments.postgres.backup.archive import Manifest, compare_with_manifest
from deployments.postgres.backup.restore import RestoreWithoutRoom
from deployments.postgres.connect import DRIVER_ERROR, LINK_ERRORS, Session, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.guard import tells_disk
from deployments.postgres.ledger import require_ours
from deployments.postgres.lives import require_not_ahead
from deployments.postgres.stopped import InDoubt, PausedOnRequest
from deployments.postgres.swap.ledger import put_back
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.recover import recover
from deployments.postgres.swap.server import State, Swap, drop, look, maintenance
from deployments.postgres.swap.writes import allow_writes
from deployments.selectors.lives import jobs_that_wrote

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.5


def swap_of(ctx: StepContext) -> Swap:
    """Return the exchange that this job is for."""
    return Swap(ctx.target, ctx.holder, str(ctx.planned_database["database_name"]))


def pooler() -> Pooler:
    """Return the command that tells the pooler, if the installation names one."""
    return Pooler(settings.CONFIGURATION.pooler_command)


def begin(ctx: StepContext) -> None:
    """Make this executor the only one that can write and swap, from whatever an earlier one left.

    A target that is away is waited for, for a minute: an earlier executor may have left something there. Raises InDoubt
    if it then still is, and what `recover`, `require_ours` and `require_not_ahead` raise.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            found = recover(
                swap_of(ctx),
                control_plane_id=ctx.control_plane_id,
                pooler=pooler(),
                log=ctx.log,
                admit=lambda opened: _admit(ctx, opened),
            )
        except (TargetUnreachable, *LINK_ERRORS) as away:
            if time.monotonic() > deadline:
                raise InDoubt(what=f"an earlier attempt on {ctx.target.name}", why=str(away)) from away
            ctx.control.require_may_start()
            ctx.control.wait(PAUSE_SECONDS)
        else:
            ctx.log(f"The databases are {found.state}: {found.production.name} is number {found.production.oid}")
            return


def _admit(ctx: StepContext, opened: Session) -> None:
    require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)
    require_not_ahead(opened, ctx.target, ctx.holder, lambda: jobs_that_wrote(ctx.job.database), is_first=False)


def leave(ctx: StepContext, stopped: BaseException) -> None:
    """Leave the application as it is to be when the job stops before its end: writing, and with nothing half made.

    What is ready stays for a job that only rests. Raises InDoubt if writes may still be stopped, because the server
    does not answer.
    """
    swap = swap_of(ctx)
    try:
        allow_writes(swap)
        with maintenance(swap, of=0) as opened:
            found = look(opened, swap)
            if isinstance(stopped, PausedOnRequest) or found.state is not State.READY:
                return
            kept = ctx.plan["restore"].get("name")
            if kept is None:
                drop(opened, swap.mine)
        if kept is not None:
            put_back(swap, kept)
    except (DeploymentError, DRIVER_ERROR) as away:
        told = str(away) if isinstance(away, DeploymentError) else type(away).__name__
        what = f"that the application of {ctx.target.name} may write again"
        raise InDoubt(what=what, why=f"what a restore had begun could not be taken back ({told})") from away


def manifest_of(ctx: StepContext) -> tuple[Backup, Manifest]:
    """Return the backup that is restored, with its manifest. Raises BackupUnreadable."""
    backup = Backup.objects.get(pk=ctx.plan["restore"]["backup"])
    place = ctx.artifacts.path(backup.place)
    return backup, compare_with_manifest(place, recorded=backup.manifest_sha256, stop=ctx.control)


def content_of(ctx: StepContext) -> dict[str, object]:
    """Return what the database that will be swapped in held when it was last measured, as a manifest says it."""
    if ctx.plan["restore"]["from"] == "kept":
        return dict(KeptDatabase.objects.get(pk=ctx.plan["restore"]["kept"]).baseline)
    return dict(manifest_of(ctx)[1].content)


def session_in(ctx: StepContext, name: str) -> AbstractContextManager[Session]:
    """Open a session of this job in another database of the server."""
    return session(swap_of(ctx).inside(name), name=ctx.holder.session_name)


def require_planned(ctx: StepContext, opened: Session) -> None:
    """Raise PlanMoved if a session leads to another database than the plan is for."""
    row = opened.execute("SELECT system_identifier::text, current_database()::text FROM pg_control_system()").fetchone()
    planned = ctx.planned_database
    if row != (planned["system_identifier"], planned["database_name"]):
        raise PlanMoved(target=ctx.target.name, what="its connection leads to another database now")


def require_room(ctx: StepContext, opened: Session, wanted: int) -> int | None:
    """Return how much room the server's disk has, None if it does not tell. Raises RestoreWithoutRoom."""
    if not tells_disk(opened):
        return None
    (free,) = opened.execute("SELECT locktender.free_disk_bytes()").fetchone() or (0,)
    if free < wanted:
        raise RestoreWithoutRoom(where=f"The server of {ctx.target.name}", free=free, wanted=wanted)
    return int(free)
