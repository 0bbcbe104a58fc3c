"""What is found out before anything is touched, and what stops a run there."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from django.db.models.functions import Now

from deployments.artifacts import Artifacts
from deployments.models import Job, Policy, Step
from deployments.pipelines.executor import context
from deployments.pipelines.steps.preflight import DiskTooSmall, Preflight
from deployments.postgres.clients import PgDumpMissing
from deployments.services.transition import claim_job
from tests.engine.conftest import actor
from tests.engine.processes import eventually
from tests.postgres.places import Stopper

LEDGER = "CREATE TABLE ledger (id int); INSERT INTO ledger SELECT generate_series(1, 100000)"


@dataclass(frozen=True)
class NoRoom(Artifacts):
    """A store on a full disk."""

    def free_bytes(self) -> int:
        return 1000


@dataclass(frozen=True)
class NoClients:
    """A worker without PostgreSQL's programs."""

    def newest_for(self, server_version: int, **_facts: bool):
        raise PgDumpMissing(needed=server_version, found="nothing")


@pytest.fixture
def backed_up(rewards):
    """Staging, with a backup asked for."""
    environment = rewards.staging.environment
    Policy.objects.create(environment=environment, version=2, rules={"backup": True}, reason="For a test")
    rewards.write("001_ledger", LEDGER, "DROP TABLE ledger")
    return rewards


def ctx_of(job: Job):
    return context(job, Stopper())


def evidence(job: Job) -> dict:
    return Step.objects.get(job=job, name="preflight").evidence


def test_what_was_found_is_kept_as_evidence(backed_up):
    job = backed_up.deploy()

    found = evidence(job)
    assert (job.state, found["applied"], found["collisions"]["met"]) == ("succeeded", 0, []), backed_up.output
    assert found["store"]["free_bytes"] > found["store"]["wanted_bytes"]
    assert "health" not in found
    step = Step.objects.get(job=job, name="preflight")
    assert step.summary.endswith("Health was not measured: no check is configured.")


def test_a_store_that_cannot_be_written_stops_the_run_before_anything_is_changed(backed_up, tmp_path: Path):
    backed_up.sync()
    in_the_way = tmp_path / "artifacts"
    in_the_way.write_text("a file, not a folder")

    job = backed_up.execute(backed_up.start(backed_up.plan()), ARTIFACTS=str(in_the_way))

    assert (job.state, job.error_code, job.applied) == ("failed", "artifacts-not-writable", 0)
    assert backed_up.tables() == set()
    assert [(step.name, step.state) for step in job.steps.all()] == [("preflight", "failed")]


def test_too_little_room_for_the_tables_stops_the_run(backed_up, tmp_path: Path):
    backed_up.deploy()
    with backed_up.connect() as opened:
        opened.execute("ANALYZE ledger")  # the server counts its pages
    backed_up.write("002_points", "ALTER TABLE ledger ADD points int")
    backed_up.sync()
    ctx = ctx_of(backed_up.start(backed_up.plan()))

    with pytest.raises(DiskTooSmall, match=r"has 0 MB free, and a backup may need 4 MB\. Nothing was changed"):
        Preflight().run(replace(ctx, artifacts=NoRoom(tmp_path)))


def test_a_worker_without_pg_dump_stops_the_run(backed_up):
    backed_up.sync()
    ctx = ctx_of(backed_up.start(backed_up.plan()))

    with pytest.raises(PgDumpMissing):
        Preflight().run(replace(ctx, clients=NoClients()))


def test_no_store_is_asked_for_where_no_backup_is(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    ctx = ctx_of(rewards.start(rewards.plan()))

    result = Preflight().run(replace(ctx, clients=NoClients()))

    assert "store" not in result.evidence


def test_the_way_back_is_warned_and_not_stopped(backed_up):
    back = backed_up.plan_rollback(backed_up.deploy().run)
    ctx = ctx_of(backed_up.start(back))

    result = Preflight().run(replace(ctx, clients=NoClients()))

    assert "Warning: pg-dump-missing." in result.summary
    assert len(result.evidence["warnings"]) == 1


def test_looking_again_after_a_lost_executor_changes_nothing(backed_up):
    backed_up.sync()
    job = backed_up.start(backed_up.plan())
    claim_job(job.pk, executor="lost", lease=ctx_of(job).guard_interval, actor=actor("dana"))
    eventually(Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists)

    job = backed_up.execute(job)

    assert (job.state, job.claims) == ("succeeded", 2), backed_up.output
