"""Dropping a database that was kept after a restore, when its time is over."""

import structlog

from deployments.actors import DISPATCHER
from deployments.errors import DeploymentError
from deployments.models import KeptDatabase
from deployments.models.kept_database import KeptEnding
from deployments.pipelines.observing import target_of
from deployments.postgres.connect import DRIVER_ERROR, Holder
from deployments.postgres.swap.kept import drop_kept
from deployments.postgres.swap.server import Swap
from deployments.selectors.restores import due_to_drop
from deployments.services.restore import end_kept

log = structlog.get_logger()


def drop_when_due(kept_id: int) -> bool:
    """Drop a kept database whose time is over and that no job is taking back; return whether it is kept no longer.

    What the target refuses is tried again at the next turn of the clock.
    """
    kept = KeptDatabase.objects.select_related("job__database__environment").get(pk=kept_id)
    if kept not in due_to_drop():
        return False
    target = target_of(kept.job.database)
    holder = Holder(run=kept.job.run.number, job=kept.job_id, fence=kept.job.fence or 0)
    swap = Swap(target, holder, kept.job.run.plan["databases"][0]["database_name"])
    try:
        dropped = drop_kept(swap, name=kept.name, oid=kept.oid)
    except (DeploymentError, DRIVER_ERROR) as refused:
        log.warning("kept database not dropped", name=kept.name, reason=type(refused).__name__)
        return False
    return end_kept(kept, KeptEnding.DROPPED if dropped else KeptEnding.GONE, actor=DISPATCHER)
