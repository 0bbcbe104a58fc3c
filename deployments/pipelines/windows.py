"""Whether the window of a plan is open still: asked before anything, before the first statement, and by file."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from checks.budget import BLOCKING
from checks.policy import Requirements, blocking_budget, closed_window
from deployments.errors import DeploymentError
from deployments.pipelines.contract import StepContext
from deployments.pipelines.record import persist
from deployments.postgres.guard import Budget
from deployments.selectors.clock import database_now


class WindowClosed(DeploymentError):
    """The window that the run needs is over."""

    code = "window-closed"

    def __init__(self, *, target: str, waits: str) -> None:
        super().__init__(
            f"The window of this run is closed. Nothing was changed on {target}. {waits} Ask for a new run and start "
            "it while its window is open."
        )


def require_window(ctx: StepContext) -> None:
    """Raise WindowClosed if the plan needs a window and none is open, by the clock of the control database.

    Ask only before the first statement: what has begun goes on, because stopping in the middle is worse.
    """
    if closed := closed_window(_needs(ctx), database_now()):
        raise WindowClosed(target=ctx.target.name, waits=closed)


def budget_now(ctx: StepContext) -> Budget:
    """Return what the application may pay for a file that begins now.

    What a plan may take above its policy's budget was given to it for its window: what goes on after that takes no
    more than every run may. Waits for a control database that is away, as every record of a file does.
    """
    planned = Budget.planned(ctx.plan["budget"])
    usual = blocking_budget(ctx.job.run.policy.rules)
    lowered: dict[str, Any] = {
        name: limit
        for name in BLOCKING
        if (limit := usual[name]) is not None and (asked := getattr(planned, name)) is not None and asked > limit
    }
    if not lowered or not _needs(ctx).windows:
        return planned
    read: list[datetime] = []
    persist(lambda: read.append(database_now()), is_written=lambda: bool(read))
    if not closed_window(_needs(ctx), read[0]):
        return planned
    ctx.log("The window of this run is closed: from here on it takes no more than the policy's usual budget.")
    return replace(planned, **lowered)


def _needs(ctx: StepContext) -> Requirements:
    return Requirements.of_plan(ctx.plan["requirements"])
