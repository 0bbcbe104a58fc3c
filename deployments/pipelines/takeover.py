"""The first act of an executor on a target: nobody but it can write there any more."""

import time

from deployments.models import Step
from deployments.pipelines.contract import StepContext
from deployments.postgres.connect import LINK_ERRORS, session
from deployments.postgres.errors import InDoubt, TargetUnreachable
from deployments.postgres.ledger import require_ours
from deployments.postgres.sessions import take_over as end_earlier

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.5


def take_over(ctx: StepContext) -> int:
    """Raise the target's fence and end the sessions of earlier executors; return how many were ended.

    A target that is away is waited for, for a minute, if an earlier executor may have left something there. Raises
    InDoubt if it then still is, and what `require_ours` and the connection raise.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    left_something = Step.objects.filter(job=ctx.job).exists()
    while True:
        try:
            with session(ctx.target, name=ctx.holder.session_name) as opened:
                require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)
                return end_earlier(opened, ctx.target, ctx.holder)
        except (TargetUnreachable, *LINK_ERRORS) as away:
            if not left_something:
                raise
            if time.monotonic() > deadline:
                raise InDoubt(what=f"an earlier attempt on {ctx.target.name}", why=str(away)) from away
            ctx.control.require_may_start()
            time.sleep(PAUSE_SECONDS)
