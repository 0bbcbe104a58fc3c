"""The lane of the way back: it takes the place of a run in doubt, and no deploy that waits goes before it."""

from types import SimpleNamespace

import pytest

from deployments.models import Job, MigrationRun
from deployments.models.run import RunKind
from deployments.pipelines.steps import migrate
from deployments.postgres.stopped import InDoubt
from deployments.selectors.audit import events_about
from deployments.services.decide import start
from deployments.services.lane import take_slots
from deployments.states import JobState, RunState
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import due


@pytest.fixture
def doubtful(rewards: Rewards, monkeypatch) -> Job:
    """A job whose first file is committed, and of whose second nobody knows."""
    rewards.write("001_tier", "CREATE TABLE tier ()", "DROP TABLE tier")
    rewards.write("002_more", "CREATE TABLE more ()", "DROP TABLE more")
    run_file = migrate.run_file

    def run(script, worker):
        if script.name == "002_more":
            raise InDoubt(what=script.name, why="nobody answers")
        run_file(script, worker)

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "run_file", run)
        job = rewards.deploy()
    assert (job.state, job.applied) == (JobState.NEEDS_ATTENTION, 1)
    return job


def test_the_way_back_takes_over_the_slot_of_a_run_in_doubt(rewards, doubtful):
    back = rewards.plan_rollback(doubtful.run)

    started = start(back, actor=actor("noor")).jobs.get()

    assert MigrationRun.objects.get(pk=doubtful.run_id).state == RunState.FAILED
    assert (started.state, started.holds_slot) == (JobState.QUEUED, True)
    assert f"gave way to its rollback, run {back}" in [event.reason for event in events_about(doubtful)]
    assert rewards.execute(started).state == JobState.SUCCEEDED
    assert rewards.tables() == set()


def test_a_doubt_about_a_database_that_the_way_back_leaves_alone_stays_one(doubtful):
    other = {"databases": [{"id": doubtful.database_id + 1}]}
    back = SimpleNamespace(kind=RunKind.ROLLBACK, reverts=doubtful.run, plan=other)

    assert take_slots(back, actor=actor("noor")) == set()

    assert Job.objects.get(pk=doubtful.pk).state == JobState.NEEDS_ATTENTION


def test_no_deploy_that_waited_longer_goes_before_a_way_back(rewards):
    rewards.write("001_tier", "CREATE TABLE tier ()", "DROP TABLE tier")
    done = rewards.deploy()
    rewards.write("002_more", "CREATE TABLE more ()", "DROP TABLE more")
    rewards.sync()
    waiting = rewards.start(rewards.plan())
    back = rewards.start(rewards.plan_rollback(done.run))

    assert waiting.pk < back.pk
    assert due() == [back.pk]

    assert rewards.execute(back).state == JobState.SUCCEEDED
    assert due() == [waiting.pk]
