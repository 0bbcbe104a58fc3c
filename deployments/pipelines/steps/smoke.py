"""The step that asks the questions of smoke.sql: is what the application needs there, whatever was deployed?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from checks.integrity.questions import expectations
from checks.integrity.verdicts import Verdict, judge_after
from deployments.errors import DeploymentError
from deployments.models import Script
from deployments.pipelines.asking import Wanted, ask_all, checks_in_words, failures_in_words, name_of, patiently
from deployments.pipelines.contract import StepContext, StepResult
from deployments.postgres.verify import CHECK_LIMIT

SCRIPT = "smoke.sql"


class SmokeFailed(DeploymentError):
    """Checks of smoke.sql failed. `evidence` holds all of them, also those that passed."""

    code = "smoke-failed"

    def __init__(self, *, target: str, failed: Sequence[str], evidence: Mapping[str, Any]) -> None:
        self.evidence = evidence
        super().__init__(
            f"{failures_in_words(target, failed)} The migrations are committed and stay. "
            "Look at what was found; the way back is a rollback of this run."
        )


@dataclass(frozen=True, slots=True)
class Smoke:
    """Ask every query of the release's smoke.sql. It changes nothing, and a second attempt asks again."""

    name: str = "smoke"
    timeout: timedelta = timedelta(minutes=30)
    check_limit: timedelta = CHECK_LIMIT

    def run(self, ctx: StepContext) -> StepResult:
        """Return every verdict as evidence. Raises SmokeFailed, which has the same, if one of them is a failure."""
        if ctx.plan["smoke"] is None:
            return StepResult(summary=f"There is no {SCRIPT}: not measured.", is_skipped=True)
        checks = expectations(Script.objects.get(pk=ctx.plan["smoke"]).text(), may_compare=False)
        wanted = [Wanted(script=SCRIPT, check=one, judge=partial(judge_after, one)) for one in checks]
        entries = patiently(ctx, lambda opened: ask_all(ctx, opened, wanted, limit=self.check_limit))
        evidence = {"checks": entries}
        if failed := [f"{name_of(one)}: {one['detail']}" for one in entries if one["verdict"] == Verdict.FAILED]:
            raise SmokeFailed(target=ctx.target.name, failed=failed, evidence=evidence)
        return StepResult(summary=checks_in_words(entries), evidence=evidence)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None
