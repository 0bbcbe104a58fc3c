"""What became of a cancel: when it was seen, how what was under way ended, and whether it came too late."""

import pytest

from deployments.models import Job
from deployments.models.run import CancelOutcome
from deployments.pipelines.steps import migrate
from deployments.postgres import transactional
from deployments.postgres.guard.watched import Watched
from deployments.services.decide import request_cancel
from deployments.states import JobState
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import executing, now
from tests.engine.processes import eventually


@pytest.fixture
def two_files(rewards) -> Rewards:
    rewards.write("001_points", "CREATE TABLE points (id int)", "DROP TABLE points")
    rewards.write("002_tier", "CREATE TABLE tier (id int)", "DROP TABLE tier")
    return rewards


def started(rewards: Rewards) -> Job:
    rewards.sync()
    return rewards.start(rewards.plan())


def cancels_at(point: str, job: Job, monkeypatch, module) -> None:
    """Have a person cancel when the executor comes to this place for the first time, and wait until it knows."""

    def reached(name: str) -> None:
        if name == point and now(job).run.cancel_requested_at is None:
            request_cancel(job.run, actor=actor("noor"))
            eventually(lambda: now(job).cancel_seen_at)

    monkeypatch.setattr(module, "crash_point", reached)


def test_a_statement_that_is_cancelled_is_confirmed_by_the_server_and_rolled_back(two_files):
    two_files.write("002_tier", "CREATE TABLE tier (id int); SELECT pg_sleep(60)")
    job = started(two_files)

    with executing(two_files, job):
        eventually(job.steps.filter(name="migrate", progress__statement=2).exists)
        request_cancel(job.run, actor=actor("noor"))

    ended = now(job)
    assert (ended.state, ended.applied) == (JobState.CANCELLED, 1)
    assert (ended.cancel_outcome, ended.cancel_answer) == (CancelOutcome.ROLLED_BACK, "57014")
    assert ended.run.cancel_requested_at < ended.cancel_seen_at < ended.cancel_ended_at < ended.finished_at
    assert "tier" not in two_files.tables()


def test_a_cancel_between_two_files_leaves_what_is_committed_and_nothing_under_way(two_files, monkeypatch):
    job = started(two_files)
    cancels_at("migration-committed", job, monkeypatch, migrate)

    ended = two_files.execute(job)

    assert (ended.state, ended.applied) == (JobState.CANCELLED, 1)
    assert (ended.cancel_outcome, ended.cancel_answer) == (CancelOutcome.BETWEEN, "")
    assert two_files.tables() == {"points"}


@pytest.mark.parametrize("files", [1, 2])
def test_a_cancel_that_the_commit_outruns_says_that_it_came_too_late(two_files, monkeypatch, files):
    if files == 1:
        for path in two_files.source.glob("002_*"):
            path.unlink()
    job = started(two_files)
    cancels_at("before-commit", job, monkeypatch, transactional)
    monkeypatch.setattr(Watched, "end", lambda *_, **__: None)  # its cancel is on its way when the server commits

    ended = two_files.execute(job)

    assert (ended.state, ended.applied) == (JobState.CANCELLED, 1)
    assert ended.cancel_outcome == CancelOutcome.COMMITTED
    assert "too late for 001_points" in ended.error
    assert two_files.tables() == {"points"}


def test_a_cancel_before_anything_changed_says_that_nothing_had_begun(two_files):
    job = started(two_files)
    with two_files.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE locktender.fence")
        with executing(two_files, job):
            eventually(lambda: now(job).claims)
            request_cancel(job.run, actor=actor("noor"))
            eventually(lambda: now(job).cancel_seen_at)
            holder.execute("ROLLBACK")

    ended = now(job)
    assert (ended.state, ended.applied, ended.cancel_outcome) == (JobState.CANCELLED, 0, CancelOutcome.NOT_BEGUN)
    assert two_files.tables() == set()
