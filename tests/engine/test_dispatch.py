"""PostgreSQL decides, Celery only wakes: a job is driven with a worker, without one, and without Redis."""

import os
import signal
from pathlib import Path

import pytest
from django.db import connection

from controlplane.embedded import RedisServer
from deployments.dispatch import DUE, Dispatcher
from deployments.models import Job, MigrationRun, StepLog, WorkerBeat
from deployments.services.decide import request_cancel
from deployments.services.observe import request_observation
from deployments.services.transition import claim_job
from tests.engine.conftest import SHORT_LEASE, actor
from tests.engine.processes import dispatcher, eventually, settled, worker


@pytest.fixture
def redis(tmp_path: Path):
    """A Redis of this test's own, so that workers of other tests do not take its messages."""
    with RedisServer(tmp_path / "redis server") as server:
        yield server


def started(rewards, forward: str = "CREATE TABLE ledger (id int)") -> Job:
    rewards.write("001_ledger", forward)
    rewards.sync()
    return rewards.start(rewards.plan())


def test_a_worker_drives_what_the_dispatcher_sends(rewards, redis):
    environment = rewards.environment | {"REDIS_URL": redis.url, "EXECUTOR_SLOTS": "0"}  # the dispatcher itself may not

    with worker(environment), dispatcher(environment):
        job = settled(started(rewards))

    assert (job.state, job.claims) == ("succeeded", 1)
    assert rewards.history() == [("001_ledger", "forward")]


def test_without_redis_and_worker_everything_still_works(rewards):
    environment = rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}

    with dispatcher(environment):
        job = settled(started(rewards))

    assert job.state == "succeeded"
    assert rewards.history() == [("001_ledger", "forward")]


def test_a_hung_redis_delays_and_does_not_stop(rewards, redis):
    environment = rewards.environment | {"REDIS_URL": redis.url}
    WorkerBeat.objects.create(worker="hung", queue="jobs")  # there seems to be a worker
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        with dispatcher(environment):
            job = settled(started(rewards))
    finally:
        os.kill(redis.pid, signal.SIGCONT)

    assert job.state == "succeeded"


def test_a_worker_that_beats_and_takes_nothing_is_passed_by(rewards, redis):
    """As one does whose slots are full of hung executors: the second time the dispatcher drives by itself."""
    environment = rewards.environment | {"REDIS_URL": redis.url, "RESEND": "1"}
    WorkerBeat.objects.create(worker="full", queue="jobs")

    with dispatcher(environment):
        job = settled(started(rewards))

    assert (job.state, job.claims) == ("succeeded", 1)


def test_two_dispatchers_drive_a_job_once(rewards):
    environment = rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}

    with dispatcher(environment), dispatcher(environment):
        job = settled(started(rewards))

    assert (job.state, job.claims) == ("succeeded", 1)
    assert rewards.history() == [("001_ledger", "forward")]


def test_a_second_run_on_the_same_database_waits_for_the_first(rewards):
    first = started(rewards)
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()
    second = rewards.start(rewards.plan())

    with dispatcher(rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}):
        first, second = settled(first), settled(second)
        eventually(lambda: MigrationRun.objects.filter(supersedes=second.run).exists())

    # The second was planned before the first was done: the world moved, so it ran nothing and has a successor.
    assert (first.state, second.state, second.run.state) == ("succeeded", "cancelled", "superseded")
    assert rewards.history() == [("001_ledger", "forward")]
    assert [entry["name"] for entry in second.run.superseded_by.plan["migrations"]] == ["002_users"]
    assert second.run.superseded_by.state == "awaiting"


def test_a_killed_executor_is_replaced_and_nothing_is_applied_twice(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.environment |= SHORT_LEASE
    job = started_with_pause(rewards)
    lost = rewards.executor(job)
    eventually(lambda: StepLog.objects.filter(line="001_ledger: committed").exists())
    lost.kill()
    lost.communicate()

    with dispatcher(rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}):
        job = settled(job)

    assert (job.state, job.claims, job.applied) == ("succeeded", 2, 2)
    assert rewards.history() == [("001_ledger", "forward"), ("002_pause", "forward")]
    assert [(step.attempt, step.state) for step in job.steps.filter(name="migrate")] == [
        (1, "interrupted"),
        (2, "succeeded"),
    ]


def started_with_pause(rewards) -> Job:
    rewards.write("002_pause", "SELECT pg_sleep(2); CREATE TABLE users (id int)")
    rewards.sync()
    return rewards.start(rewards.plan())


def test_killing_worker_and_dispatcher_leaves_the_executor_to_its_work(rewards, redis):
    environment = rewards.environment | {"REDIS_URL": redis.url, "EXECUTOR_SLOTS": "0"}
    with worker(environment) as works, dispatcher(environment) as sends:
        job = started(rewards, "SELECT pg_sleep(1); CREATE TABLE ledger (id int)")
        eventually(lambda: Job.objects.filter(pk=job.pk, state="running").exists())
        works.kill()
        sends.kill()
        job = settled(job)

    assert (job.state, job.claims) == ("succeeded", 1)


def test_cancelling_a_running_job_stops_the_statement_and_keeps_what_was_committed(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.write("002_pause", "CREATE TABLE users (id int); SELECT pg_sleep(60)")
    rewards.sync()
    job = rewards.start(rewards.plan())

    with dispatcher(rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}):
        eventually(lambda: StepLog.objects.filter(line__startswith="002_pause").exists())
        request_cancel(job.run, actor=actor("dana"))
        job = settled(job)

    assert (job.state, job.run.state, job.applied) == ("cancelled", "cancelled", 1)
    assert rewards.tables() == {"ledger"}


def test_a_job_is_not_sent_again_before_its_time(rewards):
    job = started(rewards)
    asked = {"resend": "60 seconds", "takes_over": True}

    with connection.cursor() as cursor:
        cursor.execute(DUE, asked)
        first = cursor.fetchall()
        cursor.execute(DUE, asked)
        again = cursor.fetchall()

    assert (first, again) == ([(job.pk, False)], [])


def test_a_job_whose_executor_fell_silent_is_due_at_once(rewards, settings):
    job = started(rewards)
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"resend": "60 seconds", "takes_over": True})
    claim_job(job.pk, executor="lost", lease=settings.CONFIGURATION.heartbeat / 1000, actor=actor("dana"))

    with connection.cursor() as cursor:
        cursor.execute(DUE, {"resend": "60 seconds", "takes_over": True})
        assert cursor.fetchall() == [(job.pk, False)]


def test_a_periodic_task_is_done_by_one_dispatcher(rewards):
    one, other = Dispatcher(), Dispatcher()
    one.sweep()  # the first sweep only sets the time
    with connection.cursor() as cursor:
        cursor.execute("UPDATE deployments_periodictask SET next_due_at = now() - interval '1 s'")
    done = []
    for each in (one, other):
        each.send = lambda task, number: done.append((task, number)) or True  # type: ignore[method-assign]

    one.sweep()
    other.sweep()

    assert sorted(done) == sorted(
        [
            *(("deployments.observe_database", target.pk) for target in (rewards.staging, rewards.production)),
            ("deployments.tend_backups", 0),
        ]
    )


def test_targets_are_read_at_once_when_a_person_asks(rewards):
    dispatcher = Dispatcher()
    dispatcher.sweep()  # from now on they are due in five minutes
    done = []
    dispatcher.send = lambda _task, number: done.append(number) or True  # type: ignore[method-assign]
    dispatcher.sweep()
    assert done == []

    request_observation()
    dispatcher.sweep()

    assert sorted(done) == sorted([rewards.staging.pk, rewards.production.pk])
