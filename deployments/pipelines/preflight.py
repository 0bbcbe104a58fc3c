"""The step before anything is touched: can it be done, and is the world as it was planned?"""

from dataclasses import dataclass
from datetime import timedelta

from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.world import require_as_planned
from deployments.postgres.connect import session
from deployments.postgres.privileges import require_owner_role


@dataclass(frozen=True, slots=True)
class Preflight:
    """Look at the target without changing it. A second attempt looks again."""

    name: str = "preflight"
    timeout: timedelta = timedelta(minutes=2)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what was found: server, identity, and that history and touched objects are as planned."""
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            seen = require_as_planned(opened, ctx)
            require_owner_role(opened, ctx.target)
        version = seen.server_version
        return StepResult(
            summary=f"PostgreSQL {version // 10000}.{version % 10000}, {seen.identity.database_name}: as planned.",
            evidence={
                "server_version": version,
                "system_identifier": seen.identity.system_identifier,
                "database_name": seen.identity.database_name,
                "applied": len(seen.history),
            },
        )

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None
