"""Pausing a run and resuming it: where it rests, what it keeps, and what is looked at before it goes on."""

import pytest

from deployments.authority import NotAllowed
from deployments.models import AuditEvent, Job, MigrationRun, StepLog
from deployments.models.run import CancelOutcome
from deployments.pipelines import freshness, resting
from deployments.services.decide import request_cancel, start
from deployments.services.pause import PausedAlready, PauseReasonMissing, request_pause, resume
from deployments.states import JobState, RunState, StepState
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import due, executing, now
from tests.engine.processes import dispatcher, eventually, settled

THREE = ("001_points", "002_tier", "003_note")


@pytest.fixture
def planned(rewards) -> Rewards:
    """Staging with a table, and three files to come that each add a column to it."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
    for name in THREE:
        column = name.partition("_")[2]
        rewards.write(name, f"ALTER TABLE ledger ADD {column} text", f"ALTER TABLE ledger DROP {column}")
    rewards.sync()
    return rewards


def asked(run: MigrationRun, by: str = "noor") -> MigrationRun:
    return request_pause(run, reason="The shop is busy", actor=actor(by))


def paused_at_the_second_file(rewards: Rewards) -> Job:
    """Return a job of three files that rests after the first: the second one waited for a lock until it was asked."""
    rewards.write("002_tier", "LOCK TABLE gate; ALTER TABLE ledger ADD tier text", "ALTER TABLE ledger DROP tier")
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE gate (id int)")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with rewards.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE gate")
        with executing(rewards, job):
            eventually(StepLog.objects.filter(step__job=job, line__contains="trying again").exists)
            asked(job.run)
    return now(job)


def columns(rewards: Rewards) -> list[str]:
    with rewards.connect() as opened:
        rows = opened.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'ledger'::regclass AND attnum > 0")
        return [name for (name,) in rows if not name.startswith("....")]


def test_a_run_rests_between_two_tries_of_a_file_with_nothing_half_done(planned):
    job = paused_at_the_second_file(planned)

    assert (job.state, job.run.state) == (JobState.QUEUED, RunState.QUEUED)
    assert job.paused_at is not None
    assert (job.applied, job.pauses, job.holds_slot) == (1, 1, True)
    assert columns(planned) == ["id", "points"]
    stopped = job.steps.get(name="migrate")
    assert (stopped.state, stopped.error_code) == (StepState.INTERRUPTED, "paused-on-request")
    assert "before 002_tier, whose last try was rolled back" in stopped.summary


def test_nobody_takes_up_a_paused_run_and_a_resumed_one_goes_on_to_its_end(planned):
    job = paused_at_the_second_file(planned)

    assert due() == []
    assert planned.execute(job).claims == 1
    resume(job.run, reason="It is calm", actor=actor("dana"))
    assert due() == [job.pk]
    ended = planned.execute(job)

    assert (ended.state, ended.applied, ended.claims) == (JobState.SUCCEEDED, 3, 2)
    assert columns(planned) == ["id", "points", "tier", "note"]
    assert [name for name, _ in planned.history()] == list(THREE)
    assert list(ended.steps.filter(name="backup").values_list("attempt", flat=True)) == [1]


def test_a_paused_run_that_has_begun_keeps_everybody_else_out(planned):
    first = paused_at_the_second_file(planned)
    planned.write("004_last", "CREATE TABLE last ()", "DROP TABLE last")
    planned.sync()
    second = planned.start(planned.plan())

    assert due() == []
    ended = planned.execute(second)

    assert (ended.state, ended.claims) == (JobState.QUEUED, 0)
    assert "last" not in planned.tables()
    resume(first.run, actor=actor("noor"))
    assert planned.execute(first).state == JobState.SUCCEEDED


def test_a_run_paused_before_it_changed_anything_lets_others_go_first(planned):
    first = planned.start(planned.plan())
    asked(first.run)
    planned.write("004_last", "CREATE TABLE last ()", "DROP TABLE last")
    planned.sync()
    second = planned.start(planned.plan())

    assert due() == [second.pk]
    assert planned.execute(second).state == JobState.SUCCEEDED

    assert planned.execute(first).claims == 0
    resume(first.run, actor=actor("noor"))
    assert planned.execute(first).state == JobState.CANCELLED  # what it would do is done: its plan moved


def test_a_world_that_moved_in_the_pause_stops_the_rest_of_the_plan(planned):
    job = paused_at_the_second_file(planned)
    with planned.connect() as opened:
        opened.execute("ALTER TABLE ledger ADD by_hand text")
    resume(job.run, actor=actor("noor"))

    ended = planned.execute(job)

    assert (ended.state, ended.error_code) == (JobState.FAILED, "moved-while-paused")
    assert ended.applied == 1
    assert columns(planned) == ["id", "points", "by_hand"]


def test_an_executor_that_dies_after_a_pause_does_not_take_its_own_work_for_a_foreign_one(planned):
    job = paused_at_the_second_file(planned)
    resume(job.run, actor=actor("noor"))
    planned.execute(job, LOCKTENDER_CRASH_AT="migration-committed", LEASE="1.5", HEARTBEAT="0.3", SILENCE="1.0")

    with dispatcher(planned.environment):
        ended = settled(job)

    assert (ended.state, ended.applied) == (JobState.SUCCEEDED, 3)


def test_what_was_looked_at_long_before_the_pause_is_looked_at_again_while_nothing_has_begun(planned, monkeypatch):
    job = planned.start(planned.plan())
    with planned.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE ledger")
        with executing(planned, job):
            eventually(StepLog.objects.filter(step__job=job, line__contains="trying again").exists)
            asked(job.run)
    paused = now(job)
    assert (paused.state, paused.holds_slot, paused.paused_world) == (JobState.QUEUED, False, None)
    monkeypatch.setattr(freshness, "LIMIT", freshness.LIMIT * 0)
    resume(paused.run, actor=actor("noor"))

    ended = planned.execute(job)

    assert ended.state == JobState.SUCCEEDED
    assert job.steps.filter(name="preflight").count() == 2


def test_the_way_back_takes_over_the_slot_of_a_paused_run(planned):
    job = paused_at_the_second_file(planned)
    planned.write("004_last", "CREATE TABLE last ()", "DROP TABLE last")
    planned.sync()
    waiting = planned.start(planned.plan())
    back = planned.plan_rollback(job.run)

    started = start(back, actor=actor("noor")).jobs.get()

    assert MigrationRun.objects.get(pk=job.run_id).state == RunState.CANCELLED
    assert (started.state, started.holds_slot) == (JobState.QUEUED, True)
    assert due() == [started.pk]  # although the other one has waited longer
    assert planned.execute(waiting).claims == 0
    assert planned.execute(started).state == JobState.SUCCEEDED
    assert columns(planned) == ["id"]
    assert due() == [waiting.pk]


def test_a_paused_run_is_cancelled_at_once_and_lets_go_of_its_slot(planned):
    job = paused_at_the_second_file(planned)

    ended = request_cancel(job.run, actor=actor("noor"))

    assert ended.state == RunState.CANCELLED
    assert Job.objects.get(pk=job.pk).applied == 1
    assert not Job.objects.filter(database=job.database_id, finished_at=None).exists()


def test_a_cancel_that_comes_while_the_job_comes_to_rest_is_not_forgotten(planned, monkeypatch):
    def look(ctx):
        request_cancel(ctx.job.run, actor=actor("noor"))  # after the pause was obeyed, and before it is recorded
        return looked(ctx)

    looked = resting.whereabouts
    monkeypatch.setattr(resting, "whereabouts", look)
    job = paused_at_the_second_file(planned)

    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.applied) == (JobState.CANCELLED, 1)
    assert (job.cancel_outcome, job.cancel_ended_at is not None) == (CancelOutcome.ROLLED_BACK, True)
    assert MigrationRun.objects.get(pk=job.run_id).state == RunState.CANCELLED
    assert not Job.objects.filter(database=job.database_id, finished_at=None).exists()


def test_a_pause_that_is_taken_back_before_it_is_obeyed_changes_nothing(planned):
    job = planned.start(planned.plan())
    asked(job.run)

    resume(job.run, actor=actor("noor"))

    assert planned.execute(job).state == JobState.SUCCEEDED
    assert Job.objects.get(pk=job.pk).pauses == 0


def test_each_wish_is_in_the_audit_log_with_its_person_and_reason(planned):
    run = planned.start(planned.plan()).run
    asked(run)
    resume(run, reason="It is calm", actor=actor("lee"))

    told = AuditEvent.objects.filter(object_type="migrationrun", action__in=["run.pause-requested", "run.resumed"])

    assert [(one.action, one.actor_name, one.reason) for one in told.order_by("seq")] == [
        ("run.pause-requested", "noor", "The shop is busy"),
        ("run.resumed", "lee", "It is calm"),
    ]


def test_a_pause_needs_a_reason_a_right_and_something_to_pause(planned):
    run = planned.start(planned.plan()).run

    with pytest.raises(PauseReasonMissing):
        request_pause(run, reason=" ", actor=actor("noor"))
    with pytest.raises(NotAllowed):
        request_pause(run, reason="x", actor=actor("mika"))
    asked(run)
    with pytest.raises(PausedAlready):
        asked(run, by="lee")
    assert MigrationRun.objects.get(pk=run.pk).pause_requested_by.username == "noor"
