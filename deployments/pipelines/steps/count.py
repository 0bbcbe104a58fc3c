"""The step of a way back that counts what its scripts drop, at the last moment before it begins."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deployments.errors import DeploymentError
from deployments.models import Job
from deployments.pipelines.asking import looking
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.script_pricing import counted_on
from deployments.postgres.connect import DRIVER_ERROR, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.ledger import has_begun
from deployments.postgres.price.estimate import Sure
from deployments.postgres.price.script import ScriptPrice


class LosesMoreNow(DeploymentError):
    """One person took a way back because nothing would be lost, and now something would be."""

    code = "loses-more-now"

    def __init__(self, *, target: str, what: str, evidence: dict[str, Any]) -> None:
        self.evidence = evidence
        super().__init__(
            f"{what} would be lost on {target}, which was not so when the way back was asked for. Nothing was changed "
            "there. Have it counted again, then press again: a second person decides."
        )


@dataclass(frozen=True, slots=True)
class CountDropped:
    """Count, and change nothing. A second attempt counts again, unless the scripts have begun."""

    name: str = "count"
    timeout: timedelta = timedelta(minutes=2)

    def run(self, ctx: StepContext) -> StepResult:
        """Return the price. Raises LosesMoreNow where one person took it alone, and more is lost for certain.

        A way back is never held up because something could not be counted.
        """
        deployed = Job.objects.filter(run=ctx.job.run.reverts_id, database=ctx.job.database_id).first()
        if deployed is None:
            return StepResult("Nothing of this run is left here: there was nothing to count.", is_skipped=True)
        try:
            with session(ctx.target, name=ctx.holder.session_name) as opened, looking(ctx, opened):
                if has_begun(opened, ctx.job.pk):
                    return StepResult("Not counted: the scripts have begun already.", is_skipped=True)
            price = counted_on(ctx.target, ctx.holder, deployed, ctx.plan["migrations"])
        except (TargetUnreachable, DRIVER_ERROR) as refused:
            ctx.control.require_may_start()
            ctx.log(f"Not counted: {refused if isinstance(refused, DeploymentError) else type(refused).__name__}")
            return StepResult("What the scripts drop could not be counted. The way back goes on.", is_skipped=True)
        evidence = {"dropped": price.as_evidence()}
        lane = ctx.plan.get("lane", {})
        if lane.get("alone") and (lane["asked"] or lane["automatic"]) and (more := _more(price)):
            raise LosesMoreNow(target=ctx.target.name, what=more, evidence=evidence)
        return StepResult(told(price), evidence=evidence)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None


def told(price: ScriptPrice) -> str:
    """Return what a script costs in a sentence or two."""
    parts = []
    for one in price.going:
        if one.count is None:
            parts.append(f"{one.name}: not known how much")
            continue
        most = "" if one.sure is Sure.EXACT else "at most "
        least = "at most " if one.lost and one.what == "values" else ""
        lost = "" if one.lost is None else f", of which {least}{one.lost:,} are lost"
        parts.append(f"{most}{one.count:,} {one.what} of {one.name}{lost}")
    unfit = [f"{one.count:,} rows do not fit: {one.what}" for one in price.unfit if one.count]
    unknown = sum(one.count is None for one in price.unfit)
    sentences = [f"Dropped: {'; '.join(parts)}." if parts else "The scripts drop no table and no column."]
    sentences += [f"{'; '.join(unfit)}."] if unfit else []
    sentences += [f"In {unknown} respects it is not known whether rows fit the old schema."] if unknown else []
    sentences += [f"Not counted: {'; '.join(price.untold)}."] if price.untold else []
    return " ".join(sentences)


def _more(price: ScriptPrice) -> str:
    """Return what is lost for certain that nobody accepted; "" where nothing is, or it is not known."""
    for one in price.going:
        if one.sure is Sure.EXACT and one.lost and not one.is_declared:
            return f"{'' if one.what == 'rows' else 'At most '}{one.lost:,} {one.what} of {one.name}"
    return ""
