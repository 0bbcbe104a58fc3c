"""What the tests of backups share: environments that ask for one, a step's context, and what lies in the store."""

import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from deployments.actors import COMMAND_LINE, EXECUTOR
from deployments.artifacts import Artifacts
from deployments.models import ControlPlane, Job, Policy, Step
from deployments.pipelines.contract import StepContext
from deployments.pipelines.executor import context
from deployments.services.setup import set_rehearsal_server
from deployments.services.transition import claim_job
from tests.engine.conftest import Rewards
from tests.postgres.places import Stopper
from tests.servers import SUPERUSER_URL

LEDGER = "CREATE TABLE ledger (id int); INSERT INTO ledger SELECT generate_series(1, 1000)"


def asks_for_backup(rewards: Rewards) -> Rewards:
    """Have staging, where nobody needs to approve, ask for a backup."""
    Policy.objects.create(
        environment=rewards.staging.environment, version=2, rules={"backup": True}, reason="For a test"
    )
    return rewards


def asks_for_verified_backup(rewards: Rewards) -> Rewards:
    """Have staging ask for a backup that is restored and compared, on the server of the test run.

    The control plane becomes one of the test's own: scratch databases have its name, and the server is shared.
    """
    plane = uuid.uuid4()
    ControlPlane.objects.using("owner").update(id=plane)
    with rewards.connect() as opened:
        opened.execute("UPDATE locktender.meta SET control_plane_id = %s", [plane])
    environment = rewards.staging.environment
    set_rehearsal_server(environment, connection=f"env:{SUPERUSER_URL}", actor=COMMAND_LINE)
    rules = {"backup": True, "verified_backup_gb": 1}
    Policy.objects.create(environment=environment, version=2, rules=rules, reason="For a test")
    return rewards


def scratch_databases() -> list[str]:
    """Return the databases on the server of the test run that this test's control plane has left."""
    prefix = f"lkt_{ControlPlane.objects.get().pk.hex[:8]}_%"
    with psycopg.connect(os.environ[SUPERUSER_URL]) as opened:
        return [name for (name,) in opened.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [prefix])]


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
