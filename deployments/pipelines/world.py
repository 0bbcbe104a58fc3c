"""Whether a target is still as it was planned for."""

from checks.schema import fingerprint, touched
from deployments.pipelines.contract import PlanMoved, StepContext
from deployments.postgres.catalog import Observed, observe
from deployments.postgres.connect import Session
from deployments.postgres.ledger import has_begun, require_ours
from deployments.services.observe import history_hash


def require_as_planned(opened: Session, ctx: StepContext) -> Observed:
    """Return what is observed now, if it is the state of the world that the digest covers.

    Once this job has begun to change something, history and schema are what it made of them: only the identity is
    compared. Raises PlanMoved with what moved, and what `require_ours` raises.
    """
    require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)
    planned = ctx.planned_database
    seen = observe(opened, ctx.target, ctx.history)
    found = (seen.identity.system_identifier, seen.identity.database_name)
    if found != (planned["system_identifier"], planned["database_name"]):
        raise PlanMoved(target=ctx.target.name, what=f"it is now {seen.identity}")
    if has_begun(opened, ctx.job.pk):
        return seen
    if history_hash(history_of(seen)) != planned["history"]:
        raise PlanMoved(target=ctx.target.name, what="other migrations are applied")
    if fingerprint(touched(seen.schema, ctx.plan["touches"])) != planned["touched"]:
        raise PlanMoved(target=ctx.target.name, what="the objects that the plan touches have changed")
    return seen


def history_of(seen: Observed) -> list[dict[str, str]]:
    """Return the observed history as the values that are stored and hashed."""
    return [{"name": one.name, "checksum": one.checksum} for one in seen.history]
