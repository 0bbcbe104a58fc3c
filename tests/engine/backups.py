"""What the tests of backups share: environments that ask for one, a step's context, and what lies in the store."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from deployments.actors import EXECUTOR
from deployments.artifacts import Artifacts
from deployments.models import Job, Policy, Step
from deployments.pipelines.contract import StepContext
from deployments.pipelines.executor import context
from deployments.services.transition import claim_job
from tests.engine.conftest import Rewards
from tests.postgres.places import Stopper

LEDGER = "CREATE TABLE ledger (id int); INSERT INTO ledger SELECT generate_series(1, 1000)"


def asks_for_backup(rewards: Rewards) -> Rewards:
    """Have staging, where nobody needs to approve, ask for a backup."""
    Policy.objects.create(
        environment=rewards.staging.environment, version=2, rules={"backup": True}, reason="For a test"
    )
    return rewards


def store_of(rewards: Rewards) -> Artifacts:
    """Return the artifacts store of the test's executors."""
    return Artifacts(Path(rewards.environment["ARTIFACTS"]))


def files_in(store: Artifacts) -> set[Path]:
    return {path for path in store.root.rglob("*") if path.is_file()}


def ctx_of(rewards: Rewards, job: Job, **changes: Any) -> tuple[StepContext, list[str]]:
    """Claim a job and return what its steps may use, and the lines they write."""
    claimed = claim_job(job.pk, executor="a test", lease=settings.CONFIGURATION.lease, actor=EXECUTOR)
    lines: list[str] = []
    return replace(context(claimed, Stopper()), artifacts=store_of(rewards), log=lines.append, **changes), lines


def step_of(job: Job, name: str) -> Step:
    return Step.objects.filter(job=job, name=name).latest("attempt")
