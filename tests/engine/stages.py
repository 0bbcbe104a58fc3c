"""A step's context over a real target, for tests of one step: a plan written by hand, and what the step told."""

import hashlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from deployments.models import Script
from deployments.pipelines.contract import StepResult
from deployments.pipelines.observing import target_of
from deployments.pipelines.steps.checks import BEFORE, CheckIntegrity
from deployments.postgres.connect import Holder, Target
from deployments.postgres.history import HISTORIES, LayoutHistory
from tests.engine.conftest import Rewards
from tests.postgres.places import Stopper


def stored(text: str | None) -> str | None:
    if text is None:
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()
    Script.objects.get_or_create(pk=digest, defaults={"body": text.encode()})
    return digest


@dataclass
class Stage:
    """A step's context over a real target, with a plan that a test writes by hand."""

    rewards: Rewards
    plan: dict[str, Any]
    control: Stopper = field(default_factory=Stopper)
    lines: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    holder: Holder = field(default_factory=lambda: Holder(run=1, job=7, fence=3))

    @property
    def job(self) -> SimpleNamespace:
        return SimpleNamespace(run=SimpleNamespace(reverts=None), database=self.rewards.staging)

    @property
    def target(self) -> Target:
        return target_of(self.rewards.staging)

    @property
    def history(self) -> LayoutHistory:
        return HISTORIES["sql-pairs"]

    def log(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, facts: dict[str, Any]) -> None:
        self.told.append(facts)

    def evidence_of(self, name: str) -> dict[str, Any]:
        return self.ended.get(name, {})

    def before(self, **options: Any) -> StepResult:
        result = CheckIntegrity("before", **options).run(self)
        self.ended[BEFORE] = result.evidence
        return result

    def after(self, **options: Any) -> StepResult:
        with patch("deployments.pipelines.restored.expect_left"):  # which is kept with a job: a stage has none
            return CheckIntegrity("after", **options).run(self)

    def do(self, *statements: str) -> None:
        with self.rewards.connect() as opened:
            for statement in statements:
                opened.execute(statement)
