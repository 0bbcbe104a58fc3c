"""Moving runs, jobs and steps: by compare-and-set, with the audit event in the same transaction."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from deployments.actors import DISPATCHER, EXECUTOR, person
from deployments.models import AuditEvent, Database, Job, MigrationRun, Step
from deployments.selectors.audit import events_about
from deployments.services import transition
from deployments.services.decide import request_cancel
from deployments.services.transition import (
    DatabaseBusy,
    IllegalTransition,
    Stale,
    begin_step,
    claim_job,
    move_job,
    move_run,
    move_step,
)
from deployments.states import JobState, RunState, StepState
from tests.deployments.cast import Cast, step
from tests.deployments.refusals import refused_by

LEASE = timedelta(seconds=30)
OVER = timedelta(milliseconds=1)  # has run out when the next claim asks, and the server is up for longer


def claim(job: Job, *, lease: timedelta = LEASE) -> Job | None:
    return claim_job(job.pk, executor="host/1", lease=lease, actor=EXECUTOR)


def test_a_run_moves_with_its_audit_event_and_a_new_revision(cast: Cast):
    run = cast.run()

    move_run(run, RunState.CANCELLED, actor=person(cast.dana), reason="Not today")

    run.refresh_from_db()
    assert (run.state, run.revision, run.finished_at is not None) == ("cancelled", 2, True)
    told = events_about(run).get()
    assert (told.action, told.before, told.after, told.reason) == ("run.moved", "awaiting", "cancelled", "Not today")


def test_a_run_that_moved_meanwhile_is_left_alone(cast: Cast):
    run = cast.run()
    MigrationRun.objects.filter(pk=run.pk).update(state="queued")

    with pytest.raises(Stale, match="Run #1 is no longer awaiting"):
        move_run(run, RunState.CANCELLED, actor=person(cast.dana))

    run.refresh_from_db()
    assert run.state == "queued"
    assert not AuditEvent.objects.exists()


def test_an_illegal_move_is_refused_in_words(cast: Cast):
    run = cast.run()

    with pytest.raises(IllegalTransition, match=r"#1 cannot go from awaiting to succeeded\. Nothing was changed"):
        move_run(run, RunState.SUCCEEDED, actor=DISPATCHER)
    assert not AuditEvent.objects.exists()


def test_a_claim_takes_a_queued_job_under_a_new_fence(cast: Cast):
    job = cast.job()

    claimed = claim(job)

    assert (claimed.state, claimed.executor, claimed.claims) == ("running", "host/1", 1)
    assert claimed.fence is not None
    assert claimed.lease_until - claimed.heartbeat_at == pytest.approx(LEASE, abs=timedelta(milliseconds=50))
    assert claimed.run.state == "running"
    assert [told.action for told in events_about(job)] == ["job.claimed"]


def test_a_job_that_is_held_is_not_to_be_had(cast: Cast):
    job = cast.job()
    claim(job)

    assert claim(job) is None
    assert Job.objects.get(pk=job.pk).claims == 1


def test_a_job_whose_lease_ran_out_is_taken_over_under_a_higher_fence(cast: Cast):
    job = cast.job()
    first = claim(job, lease=OVER)

    second = claim(job, lease=OVER)

    assert second.fence > first.fence
    assert second.claims == 2


def test_nobody_takes_over_right_after_a_restart_of_the_control_database(cast: Cast):
    job = cast.job()
    claim(job, lease=OVER)

    assert claim(job, lease=timedelta(days=1)) is None


def test_a_job_that_needs_attention_is_not_to_be_had(cast: Cast):
    job = cast.job()
    move_job(claim(job), JobState.NEEDS_ATTENTION, actor=EXECUTOR)
    other = Database.objects.create(environment=cast.production, name="second", position=2, connection="env:SECOND")

    assert claim(job) is None
    with refused_by("job_of_a_queued_run"):
        cast.job(job.run, database=other)


def test_a_second_run_on_the_same_database_waits_and_says_so(cast: Cast):
    first, second = cast.job(), cast.job()
    claim(first)

    with pytest.raises(DatabaseBusy, match="Another run is writing to rewards/production/rewards_prod"):
        claim(second)

    second.refresh_from_db()
    assert second.state == "queued"
    move_job(Job.objects.get(pk=first.pk), JobState.SUCCEEDED, actor=EXECUTOR)
    assert claim(second).state == "running"


def test_of_many_claims_at_once_one_wins(cast: Cast):
    job = cast.job()
    won = []

    def try_it() -> None:
        if claim(job) is not None:
            won.append(True)
        connection.close()

    claimants = [threading.Thread(target=try_it) for _ in range(8)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()

    assert won == [True]
    assert events_about(job).count() == 1


def test_an_executor_that_lost_its_job_can_move_nothing(cast: Cast):
    job = cast.job()
    attempt = step(job)
    stale = claim(job, lease=OVER)
    assert claim(job, lease=OVER) is not None

    with pytest.raises(Stale):
        move_job(stale, JobState.SUCCEEDED, actor=EXECUTOR)
    with pytest.raises(Stale):
        move_step(attempt, StepState.RUNNING, fence=stale.fence, actor=EXECUTOR)

    attempt.refresh_from_db()
    assert (Job.objects.get(pk=job.pk).state, attempt.state) == ("running", "pending")


def test_an_attempt_is_made_and_started_or_not_made_at_all(cast: Cast):
    job = cast.job()
    late = claim(job, lease=OVER)
    held = claim(job, lease=OVER)
    attempt = {"name": "backup", "position": 2, "attempt": 1, "actor": EXECUTOR}

    with pytest.raises(Stale):
        begin_step(late, fence=late.fence, **attempt)

    assert not Step.objects.filter(job=job).exists()
    assert not events_about(job).filter(action="step.moved").exists()

    begin_step(held, fence=held.fence, **attempt)

    made = Step.objects.get(job=job)
    assert (made.name, made.attempt, made.state, made.fence) == ("backup", 1, "running", held.fence)
    with pytest.raises(Stale):
        begin_step(held, fence=held.fence, **attempt)
    assert Step.objects.filter(job=job).count() == 1


def test_a_step_is_moved_by_the_holder_of_the_fence_and_told(cast: Cast):
    job = cast.job()
    attempt = step(job)
    held = claim(job)

    move_step(attempt, StepState.RUNNING, fence=held.fence, actor=EXECUTOR)
    move_step(attempt, StepState.SUCCEEDED, fence=held.fence, actor=EXECUTOR, summary="3 of 3 applied")

    attempt.refresh_from_db()
    assert (attempt.state, attempt.fence, attempt.summary) == ("succeeded", held.fence, "3 of 3 applied")
    assert attempt.started_at <= attempt.finished_at
    assert [told.after for told in events_about(attempt)] == ["running", "succeeded"]


@pytest.mark.parametrize(
    ("job_state", "run_state"),
    [
        (JobState.SUCCEEDED, "succeeded"),
        (JobState.FAILED, "failed"),
        (JobState.CANCELLED, "cancelled"),
        (JobState.NEEDS_ATTENTION, "needs_attention"),
        (JobState.QUEUED, "queued"),
    ],
)
def test_a_run_follows_its_only_job(cast: Cast, job_state, run_state):
    held = claim(cast.job())

    move_job(held, job_state, actor=EXECUTOR)

    assert MigrationRun.objects.get().state == run_state


def test_a_run_whose_plan_moved_before_anything_ran_is_superseded(cast: Cast):
    held = claim(cast.job())

    move_job(held, JobState.CANCELLED, actor=EXECUTOR, plan_moved=True)

    assert MigrationRun.objects.get().state == "superseded"


@pytest.fixture
def two_jobs(cast: Cast) -> tuple[Job, Job]:
    second = Database.objects.create(environment=cast.production, name="second", position=2, connection="env:SECOND")
    first = cast.job()
    return first, cast.job(first.run, database=second)


def test_the_second_database_waits_for_the_first(cast: Cast, two_jobs):
    first, second = two_jobs

    assert claim(second) is None
    move_job(claim(first), JobState.SUCCEEDED, actor=EXECUTOR)

    assert MigrationRun.objects.get().state == "running"
    assert claim(second).state == "running"


def test_a_run_whose_plan_moved_after_something_was_executed_is_cancelled(cast: Cast, two_jobs):
    first, second = two_jobs
    move_job(claim(first), JobState.SUCCEEDED, actor=EXECUTOR, applied=3)

    move_job(claim(second), JobState.CANCELLED, actor=EXECUTOR, plan_moved=True)

    assert MigrationRun.objects.get().state == "cancelled"


def test_after_a_failure_the_rest_is_not_reached(cast: Cast, two_jobs):
    first, second = two_jobs

    move_job(claim(first), JobState.FAILED, actor=EXECUTOR)

    second.refresh_from_db()
    assert second.state == "cancelled"
    assert events_about(second).get().reason == "not reached"
    assert MigrationRun.objects.get().state == "failed"


def test_a_move_without_its_audit_event_does_not_happen(cast: Cast, monkeypatch):
    job = claim(cast.job())

    def refuse(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(transition, "record", refuse)
    with pytest.raises(ZeroDivisionError):
        move_job(job, JobState.SUCCEEDED, actor=EXECUTOR)

    assert Job.objects.get(pk=job.pk).state == "running"


def test_the_next_database_does_not_lie_queued_when_a_run_that_is_to_stop_did_the_one_before_it(cast: Cast, two_jobs):
    first, second = two_jobs
    held = claim(first)
    request_cancel(held.run, actor=person(cast.noor))

    move_job(held, JobState.SUCCEEDED, actor=EXECUTOR)

    second.refresh_from_db()
    assert second.state == "cancelled"
