"""The first act of an executor on a target: nobody but it can write there any more."""

import time
from functools import partial

from deployments.models import Step
from deployments.pipelines.contract import StepContext
from deployments.postgres.connect import LINK_ERRORS, session
from deployments.postgres.errors import NoConnectionLeft, TargetUnreachable
from deployments.postgres.ledger import entries_of_job, require_ours
from deployments.postgres.lives import require_not_ahead
from deployments.postgres.sessions import take_over as end_earlier
from deployments.postgres.stopped import InDoubt
from deployments.selectors.lives import jobs_that_wrote

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.5


def take_over(ctx: StepContext) -> int:
    """Raise the target's fence and end the sessions of earlier executors; return how many were ended.

    A target that is away is waited for, for a minute, if an earlier executor may have left something there, and so is
    one that has no connection left: others come and go. Raises InDoubt if it then still is, FenceAhead if it knows more
    than the control database, and what `require_ours` and the connection raise.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    left_something = Step.objects.filter(job=ctx.job).exists()
    known = partial(jobs_that_wrote, ctx.job.database)
    is_first = True  # our own fence may be there already when the link broke on the way
    while True:
        try:
            with session(ctx.target, name=ctx.holder.session_name) as opened:
                require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)
                require_not_ahead(opened, ctx.target, ctx.holder, known, is_first=is_first)
                is_first = False
                ended = end_earlier(opened, ctx.target, ctx.holder)
                ctx.applied(len(entries_of_job(opened, ctx.job.pk)))  # the earlier one may have died before it told
                return ended
        except (TargetUnreachable, *LINK_ERRORS) as away:
            is_full = isinstance(away, NoConnectionLeft)
            if not left_something and (not is_full or time.monotonic() > deadline):
                raise TargetUnreachable.by(away, target=ctx.target.name) from away
            if time.monotonic() > deadline:
                raise InDoubt(what=f"an earlier attempt on {ctx.target.name}", why=str(away)) from away
            ctx.control.require_may_start()
            time.sleep(PAUSE_SECONDS)
