"""A rehearsal as a run: asked for, played on a clone on another server, kept, and nobody's slot taken."""

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from checks.rehearsal.proof import Outcome
from deployments.models import Backup, Job, MigrationRun, Policy, Rehearsal
from deployments.models.backup import CheckOutcome
from deployments.pipelines.executor import execute
from deployments.selectors.rehearsals import proofs_of, rehearsing, unproven
from deployments.services.decide import request_cancel, start
from deployments.services.plan_refusals import AlreadyOpen
from deployments.services.rehearse import NoRehearsalServer, NothingToRehearse, request_rehearsal
from deployments.states import JobState, RunState
from tests.deployments.refusals import refused_by
from tests.engine.backups import asks_for_verified_backup, scratch_databases, step_of
from tests.engine.conftest import Rewards, actor

BASE = (
    "CREATE TABLE ledger (id int PRIMARY KEY, points int); INSERT INTO ledger SELECT n, n FROM generate_series(1, 50) n"
)
INDEX = ("CREATE INDEX ledger_points ON ledger (points)", "DROP INDEX ledger_points")


@pytest.fixture
def rewards_with_server(rewards: Rewards) -> Rewards:
    """Staging with a ledger, a rehearsal server and a control plane of its own; its deploys make no backup."""
    asks_for_verified_backup(rewards)
    Policy.objects.create(environment=rewards.staging.environment, version=3, rules={}, reason="For a test")
    with rewards.connect() as opened:
        opened.execute(BASE)
    rewards.write("0001_index", INDEX[0], INDEX[1])
    rewards.sync()
    return rewards


def ask(run: MigrationRun, person: str = "dana") -> Job:
    return request_rehearsal(run, request_key=uuid.uuid4(), actor=actor(person)).jobs.get()


def test_a_rehearsal_proves_the_way_back_and_leaves_the_target_alone(rewards_with_server: Rewards):
    rewards = rewards_with_server
    run = rewards.plan()
    assert unproven(run, since=run.created_at) == "The way back on staging was not rehearsed."

    job = rewards.execute(ask(run))

    assert (job.state, job.error) == (JobState.SUCCEEDED, "")
    kept = Rehearsal.objects.get(job=job)
    assert kept.outcome == Outcome.RESTORES
    assert step_of(job, "rehearse").summary.startswith("Way back: proven, restores everything. Played on a clone of ")
    (proven,) = proofs_of(run)
    assert (proven.is_proven, proven.run) == (True, job.run)
    assert unproven(run, since=run.created_at) == ""
    assert Backup.objects.get().checks.get().outcome == CheckOutcome.EQUAL  # the same restore has proven the backup
    assert scratch_databases() == []
    with rewards.connect() as opened:
        assert opened.execute("SELECT to_regclass('ledger_points')").fetchone() == (None,)
        assert opened.execute("SELECT count(*) FROM locktender.history").fetchone() == (0,)
    run.refresh_from_db()
    assert run.state == RunState.AWAITING
    with refused_by("rehearsal_append_only"):
        Rehearsal.objects.using("owner").filter(pk=kept.pk).update(outcome=str(Outcome.NOT_PROVEN))


def test_another_script_needs_another_proof_from_the_backup_that_is_there(rewards_with_server: Rewards):
    rewards = rewards_with_server
    rewards.execute(ask(rewards.plan()))
    rewards.write("0001_index", INDEX[0], "SELECT 1")
    rewards.sync()
    other = rewards.plan()
    assert proofs_of(other)[0].proof is None  # what was proven is bound to its bytes

    job = rewards.execute(ask(other))

    assert job.state == JobState.SUCCEEDED  # that it is not proven is a result, and no failure
    sentence = "not proven: index ledger_points is left over"
    assert step_of(job, "rehearse").summary.startswith(f"Way back: {sentence}. ")
    assert unproven(other, since=other.created_at) == f"The way back on staging is {sentence}."
    assert Backup.objects.count() == 1


def test_a_rehearsal_takes_no_slot_and_gives_way_to_a_rollback(rewards_with_server: Rewards):
    rewards = rewards_with_server
    deployed = rewards.execute(rewards.start(rewards.plan()))
    assert deployed.state == JobState.SUCCEEDED
    rewards.write("0002_note", "ALTER TABLE ledger ADD COLUMN note text", "ALTER TABLE ledger DROP COLUMN note")
    rewards.sync()
    waiting = ask(rewards.plan())

    back = rewards.execute(start(rewards.plan_rollback(deployed.run), actor=actor("noor")).jobs.get())

    assert back.state == JobState.SUCCEEDED
    waiting.refresh_from_db()
    assert waiting.state == JobState.CANCELLED
    assert not execute(waiting.pk)


def test_after_a_lost_executor_another_one_begins_anew_and_drops_what_was_left(rewards_with_server: Rewards):
    rewards = rewards_with_server
    job = ask(rewards.plan())
    lost = rewards.execute(job, LOCKTENDER_CRASH_AT="verified-unrecorded")
    assert lost.state == JobState.RUNNING
    assert len(scratch_databases()) == 1

    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    while (found := rewards.execute(job, LEASE="2")).claims < 2:  # nobody takes over for one lease after a server start
        pass

    assert found.state == JobState.SUCCEEDED
    assert scratch_databases() == []


def test_only_a_deploy_that_awaits_its_decision_is_rehearsed_once(rewards_with_server: Rewards):
    rewards = rewards_with_server
    run = rewards.plan()
    first = ask(run)
    with pytest.raises(AlreadyOpen):
        ask(run)
    with pytest.raises(NothingToRehearse):
        ask(first.run)
    shown = rehearsing(run)
    assert shown is not None
    assert shown.open == first.run
    request_cancel(first.run, actor=actor("dana"))
    request_cancel(run, actor=actor("dana"))
    with pytest.raises(NothingToRehearse):
        ask(run)
    assert Rehearsal.objects.count() == 0


def test_without_a_server_nothing_is_rehearsed(rewards: Rewards):
    rewards.write("0001_a", "CREATE TABLE a (id int)", "DROP TABLE a")
    rewards.sync()
    run = rewards.plan()

    with pytest.raises(NoRehearsalServer):
        ask(run)

    assert unproven(run, since=run.created_at) == ""


def test_the_command_asks_for_a_rehearsal(rewards_with_server: Rewards, capsys):
    run = rewards_with_server.plan()

    call_command("rehearse", str(run.number), "--as", "dana")

    rehearsal = MigrationRun.objects.get(kind="rehearsal")
    assert f"Run {rehearsal} rehearses run {run}." in capsys.readouterr().out
    assert rehearsal.state == RunState.QUEUED
