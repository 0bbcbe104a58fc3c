"""A run that was asked to pause and then to stop: it ends, and never keeps a database that nobody can free."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from deployments.actors import EXECUTOR
from deployments.authority import NotAllowed
from deployments.models import AuditEvent, Job, MigrationRun, StepLog, TargetRequest
from deployments.models.run import CancelOutcome
from deployments.pipelines import resting
from deployments.selectors.doubts import known_about, newest_look
from deployments.services.decide import request_cancel
from deployments.services.looks import request_look
from deployments.services.pause import ResumeReasonMissing, request_pause, resume
from deployments.services.resolve import give_up, run_again
from deployments.services.transition import claim_job, move_job
from deployments.states import JobState, RunState
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import due, executing, now
from tests.engine.processes import eventually

LEASE = timedelta(minutes=1)


@pytest.fixture
def planned(rewards) -> Rewards:
    """Staging with two tables, and a file to come for each; the second one waits for a lock that somebody may hold."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
        opened.execute("CREATE TABLE gate (id int)")
    rewards.write("001_points", "ALTER TABLE ledger ADD points text", "ALTER TABLE ledger DROP points")
    rewards.write("002_tier", "LOCK TABLE gate; ALTER TABLE ledger ADD tier text", "ALTER TABLE ledger DROP tier")
    rewards.sync()
    return rewards


def held(rewards: Rewards) -> Job:
    return claim_job(rewards.start(rewards.plan()).pk, executor="here", lease=LEASE, actor=EXECUTOR)


def wished(run: MigrationRun) -> None:
    request_pause(run, reason="The shop is busy", actor=actor("noor"))
    request_cancel(run, actor=actor("noor"))


def paused_at_the_second_file(rewards: Rewards) -> Job:
    job = rewards.start(rewards.plan())
    with rewards.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE gate")
        with executing(rewards, job):
            eventually(StepLog.objects.filter(step__job=job, line__contains="trying again").exists)
            request_pause(job.run, reason="The shop is busy", actor=actor("noor"))
    return now(job)


def test_a_cancel_takes_the_place_of_the_pause_and_tells_whose_it_was(planned):
    job = held(planned)

    wished(job.run)

    run = MigrationRun.objects.get(pk=job.run_id)
    assert (run.pause_requested_at, run.pause_requested_by, run.pause_reason) == (None, None, "")
    told = AuditEvent.objects.get(action="run.cancel-requested")
    assert told.before == {"paused_by": "noor", "reason": "The shop is busy"}


def test_a_doubt_after_both_wishes_is_run_again_to_its_end_and_frees_the_database(planned):
    job = held(planned)
    wished(job.run)
    move_job(job, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")

    run_again(job.run, reason="Look", actor=actor("noor"))
    assert due() == [job.pk]
    ended = planned.execute(job)

    assert (ended.state, ended.cancel_outcome) == (JobState.CANCELLED, CancelOutcome.NOT_BEGUN)
    assert planned.deploy().state == JobState.SUCCEEDED


def test_both_wishes_beside_each_other_keep_nobody_from_the_job_that_is_to_end(planned):
    """As an earlier version left them."""
    job = held(planned)
    wished(job.run)
    move_job(job, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")
    run_again(job.run, reason="Look", actor=actor("noor"))
    paused = {"pause_requested_at": Now(), "pause_requested_by": actor("noor").user, "pause_reason": "Busy"}
    MigrationRun.objects.filter(pk=job.run_id).update(**paused)

    assert due() == [job.pk]
    assert planned.execute(job).state == JobState.CANCELLED


def test_what_was_queued_again_is_cancelled_by_asking_once_more(planned):
    job = held(planned)
    wished(job.run)
    move_job(job, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")
    run_again(job.run, reason="Look", actor=actor("noor"))

    run = request_cancel(job.run, actor=actor("lee"))

    assert (run.state, run.cancel_requested_by.username) == (RunState.CANCELLED, "noor")
    assert now(job).cancel_ended_at is not None


def test_a_run_that_is_cancelled_in_its_pause_says_when_it_had_ended_and_what_it_left(planned):
    job = paused_at_the_second_file(planned)

    request_cancel(job.run, actor=actor("noor"))

    ended = now(job)
    assert (ended.state, ended.cancel_outcome) == (JobState.CANCELLED, CancelOutcome.ROLLED_BACK)
    assert ended.cancel_ended_at is not None


def test_what_rests_while_its_target_is_away_goes_on_only_when_a_person_has_looked(planned, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(resting, "whereabouts", lambda ctx: (True, ctx.job.applied, None))
        job = paused_at_the_second_file(planned)
    with planned.connect() as opened:
        opened.execute("ALTER TABLE ledger ADD by_hand text")
    resume(job.run, actor=actor("noor"))

    doubted = planned.execute(job)

    assert (doubted.state, doubted.error_code, doubted.applied) == (JobState.NEEDS_ATTENTION, "in-doubt", 1)
    assert [name for name, _ in planned.history()] == ["001_points"]
    run_again(job.run, reason="It is right so", actor=actor("noor"))
    assert planned.execute(job).state == JobState.SUCCEEDED


def test_the_pause_of_somebody_else_is_taken_back_with_a_reason_only(planned):
    run = planned.start(planned.plan()).run
    request_pause(run, reason="An incident", actor=actor("noor"))

    with pytest.raises(ResumeReasonMissing, match="noor asked for this pause"):
        resume(run, reason=" ", actor=actor("dana"))

    assert MigrationRun.objects.get(pk=run.pk).pause_requested_at is not None
    resume(run, actor=actor("noor"))


def test_a_way_back_is_stopped_and_paused_by_dba_and_on_call_alone(planned):
    back = planned.plan_rollback(planned.deploy().run)
    started = planned.start(back)

    with pytest.raises(NotAllowed, match="it is a way back, and that takes the role DBA or On-call"):
        request_pause(started.run, reason="x", actor=actor("dana"))
    with pytest.raises(NotAllowed, match="it is a way back"):
        request_cancel(started.run, actor=actor("dana"))

    assert now(started).state == JobState.QUEUED
    assert request_cancel(started.run, actor=actor("noor")).state == RunState.CANCELLED


def test_a_look_that_an_earlier_job_asked_for_is_not_taken_for_one_of_this_job(planned):
    earlier = held(planned)
    move_job(earlier, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")
    open_look = request_look(earlier.run, actor=actor("noor"))
    give_up(earlier.run, reason="Another run", actor=actor("lee"))
    job = held(planned)
    move_job(job, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")
    assert known_about(job).asked is None

    wish = request_look(job.run, actor=actor("noor"))

    assert (wish.job_id, known_about(job).asked) == (job.pk, wish)
    assert TargetRequest.objects.get(pk=open_look.pk).error_code == "nothing-to-resolve"
    assert newest_look(job) is None
