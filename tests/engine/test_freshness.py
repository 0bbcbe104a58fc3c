"""An executor that comes late: what was looked at and dumped long ago is taken anew, while nothing has begun."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from psycopg import sql

from deployments.actors import EXECUTOR
from deployments.models import Backup, Job
from deployments.pipelines import asking, executor, freshness
from deployments.pipelines.executor import context, execute, walk_steps
from deployments.postgres.connect import LINK_ERRORS
from deployments.services.transition import claim_job
from tests.engine.backups import LEDGER, asks_for_backup, store_of
from tests.engine.conftest import SHORT_LEASE, Rewards, configured
from tests.engine.processes import eventually
from tests.postgres.places import Stopper

PREPARED = ["preflight", "backup", "checks before"]


@pytest.fixture
def backed_up(rewards) -> Rewards:
    """Staging with a table, two migrations to come, and a backup asked for before them."""
    with rewards.connect() as opened:
        opened.execute(LEDGER)
    rewards.write("001_points", "ALTER TABLE ledger ADD points int", "ALTER TABLE ledger DROP points")
    rewards.write("002_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")
    rewards.sync()
    return asks_for_backup(rewards)


def left_at(rewards: Rewards, point: str) -> Job:
    """Return a job whose executor died there, and that is to be had."""
    job = rewards.start(rewards.plan())
    rewards.execute(job, LOCKTENDER_CRASH_AT=point, **SHORT_LEASE)
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())
    return job


def go_on(rewards: Rewards, job: Job) -> None:
    """Walk the job to its end in this process."""
    claimed: list[Job | None] = []

    def claim() -> Job | None:
        claimed.append(claim_job(job.pk, executor="late", lease=timedelta(seconds=10), actor=EXECUTOR))
        return claimed[-1]

    eventually(claim)  # not before the server has been there for a lease
    ctx = replace(context(claimed[-1], Stopper()), artifacts=store_of(rewards))
    ctx.control.limit = lambda _: None
    walk_steps(ctx)


def attempts(job: Job) -> dict[str, int]:
    return {name: job.steps.filter(name=name).count() for name in [*PREPARED, "migrate"]}


def test_after_a_long_outage_the_database_is_looked_at_and_dumped_again_before_it_is_changed(backed_up, monkeypatch):
    job = left_at(backed_up, "before-commit")
    monkeypatch.setattr(freshness, "LIMIT", timedelta(0))

    go_on(backed_up, job)

    assert attempts(job) == dict.fromkeys([*PREPARED, "migrate"], 2)
    first, second = Backup.objects.order_by("id")
    assert second.snapshot_at > first.snapshot_at
    migrate = job.steps.filter(name="migrate").latest("attempt")
    assert all(job.steps.filter(name=name).latest("attempt").finished_at < migrate.started_at for name in PREPARED)
    assert [step.evidence["place"] for step in job.steps.filter(name="backup")] == [first.place, second.place]


def test_an_executor_that_comes_soon_keeps_what_there_is(backed_up):
    job = left_at(backed_up, "before-commit")

    go_on(backed_up, job)

    assert attempts(job) == dict.fromkeys(PREPARED, 1) | {"migrate": 2}
    assert Backup.objects.count() == 1


def test_once_something_is_committed_nothing_from_before_is_taken_anew(backed_up, monkeypatch):
    job = left_at(backed_up, "migration-committed")
    monkeypatch.setattr(freshness, "LIMIT", timedelta(0))

    go_on(backed_up, job)

    assert attempts(job) == dict.fromkeys(PREPARED, 1) | {"migrate": 2}
    assert backed_up.history() == [("001_points", "forward"), ("002_note", "forward")]


def test_an_old_dump_that_nobody_recorded_is_not_used(backed_up, monkeypatch):
    job = left_at(backed_up, "backup-unrecorded")
    monkeypatch.setattr(freshness, "LIMIT", timedelta(0))

    go_on(backed_up, job)

    assert Backup.objects.get().place.endswith(f"fence-{Job.objects.get(pk=job.pk).fence}")


def test_the_clock_of_the_target_does_not_judge_a_dump_that_was_recorded(backed_up, monkeypatch):
    job = left_at(backed_up, "before-commit")
    kept = Backup.objects.get(job=job)
    long_ago, to_come = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)

    assert not freshness.is_too_old(kept, long_ago)
    monkeypatch.setattr(freshness, "LIMIT", timedelta(0))
    assert freshness.is_too_old(kept, to_come)


@pytest.fixture
def taken_over_late(backed_up, monkeypatch):
    """Return a function that takes over a job that is to be prepared anew; first this happens to the target."""

    def take_over(happens) -> Job:
        job = left_at(backed_up, "before-commit")
        monkeypatch.setattr(freshness, "LIMIT", timedelta(0))
        real = executor.take_over

        def then(ctx) -> int:
            ended = real(ctx)
            happens()
            return ended

        monkeypatch.setattr(executor, "take_over", then)
        with configured(backed_up.environment | {"LEASE": "10", "SILENCE": "8"}):
            eventually(lambda: execute(job.pk))
        return Job.objects.get(pk=job.pk)

    return take_over


def test_a_schema_that_is_gone_when_it_is_asked_what_began_is_named(taken_over_late, backed_up):
    def dropped() -> None:
        with backed_up.connect() as somebody:
            somebody.execute("DROP SCHEMA locktender CASCADE")

    job = taken_over_late(dropped)

    assert (job.state, job.error_code) == ("failed", "target-schema-missing")


def test_a_target_that_stays_away_when_it_is_asked_what_began_is_named(
    taken_over_late, monkeypatch, superuser, database
):
    def away() -> None:
        name = sql.Identifier(f"{database}_staging")
        superuser.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))

    monkeypatch.setattr(asking, "PATIENCE", timedelta(seconds=0.5))

    job = taken_over_late(away)

    assert (job.state, job.error_code) == ("failed", "target-unreachable")


def test_a_link_that_breaks_whenever_it_is_asked_what_began_is_named(taken_over_late, monkeypatch):
    def breaks(*_, **__) -> bool:
        raise LINK_ERRORS[0]("the server went away")

    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.01)

    job = taken_over_late(lambda: monkeypatch.setattr(freshness, "has_begun", breaks))

    assert (job.state, job.error_code) == ("failed", "target-unreachable")
    assert "went away" not in job.error
