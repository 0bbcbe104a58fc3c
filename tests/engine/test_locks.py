"""An executor among sessions of the application: who waits for whom, how long, and how a person ends it."""

import time

import pytest

from deployments.authority import NotAllowed
from deployments.models import Job, StepLog
from deployments.services.decide import request_cancel
from tests.engine.conftest import Rewards, actor

HOLDS = "ALTER TABLE ledger ADD points int; SELECT pg_sleep(60)"


@pytest.fixture
def ledger(rewards) -> Rewards:
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
    return rewards


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def sessions(rewards, condition: str) -> list[int]:
    with rewards.connect() as opened:
        query = f"SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'locktender/job=%' AND {condition}"
        return [pid for (pid,) in opened.execute(query + " AND datname = current_database()")]


def columns(rewards) -> set[str]:
    with rewards.connect() as opened:
        query = "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger'::regclass AND attnum > 0"
        return {name for (name,) in opened.execute(query)}


def begin(rewards) -> Job:
    rewards.sync()
    return rewards.start(rewards.plan())


def ended(job: Job, process) -> Job:
    process.communicate(timeout=60)
    return Job.objects.select_related("run").get(pk=job.pk)


def test_a_reader_in_the_way_is_waited_for_in_short_tries_and_the_file_is_applied_once_it_is_gone(ledger):
    ledger.write("001_points", "CREATE TABLE later (id int); ALTER TABLE ledger ADD points int")
    job = begin(ledger)
    with ledger.connect(application_name="report") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT id FROM ledger")
        with ledger.executor(job, LOCK_TIMEOUT="0.1") as process:
            until(lambda: StepLog.objects.filter(line__contains="try 2 rolled back").exists())
            with ledger.connect() as shop:  # queued behind the ALTER, it would wait for the reader
                assert shop.execute("SELECT id FROM ledger").fetchall() == []
            reader.execute("COMMIT")
            job = ended(job, process)

    assert (job.state, job.applied) == ("succeeded", 1)
    assert columns(ledger) == {"id", "points"}
    lines = list(StepLog.objects.filter(step__job=job).order_by("id").values_list("line", flat=True))
    assert "001_points: try 1 rolled back (canceling statement due to lock timeout); trying again" in lines
    assert lines[-1] == "001_points: committed"


def test_a_reader_that_never_goes_ends_in_a_refusal_that_names_it_and_changes_nothing(ledger):
    ledger.write("001_points", "CREATE TABLE later (id int); ALTER TABLE ledger ADD points int")
    job = begin(ledger)
    with ledger.connect(application_name="report") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT id FROM ledger")

        job = ledger.execute(job, LOCK_TIMEOUT="0.2", LOCK_RETRY_LIMIT="0.1")

        assert (job.state, job.error_code, job.applied) == ("failed", "lock-not-obtained", 0)
        assert f"In its way: pid {reader.info.backend_pid} (migrator, report, idle in transaction" in job.error
    assert (ledger.tables(), columns(ledger), ledger.history()) == ({"ledger"}, {"id"}, [])


def test_an_application_that_waits_too_long_stops_the_migration_and_what_was_committed_stays(ledger):
    ledger.write("001_users", "CREATE TABLE users (id int)")
    ledger.write("002_points", HOLDS)
    job = begin(ledger)
    with ledger.executor(job) as process:
        until(lambda: sessions(ledger, "query LIKE '%pg_sleep%' AND state = 'active'"))
        with ledger.connect() as shop:
            assert shop.execute("SELECT id FROM ledger").fetchall() == []
        job = ended(job, process)

    assert (job.state, job.error_code, job.applied) == ("failed", "over-budget", 1)
    assert "1 session \u00d7 " in job.error
    assert (ledger.tables(), columns(ledger)) == ({"ledger", "users"}, {"id"})
    assert ledger.history() == [("001_users", "forward")]


def test_a_cancel_ends_the_statement_under_way_and_counts_what_was_committed(ledger):
    ledger.write("001_users", "CREATE TABLE users (id int)")
    ledger.write("002_points", HOLDS)
    job = begin(ledger)
    with ledger.executor(job) as process:
        until(lambda: sessions(ledger, "query LIKE '%pg_sleep%' AND state = 'active'"))
        request_cancel(job.run, actor=actor("dana"))
        request_cancel(job.run, actor=actor("dana"))
        job = ended(job, process)

    assert (job.state, job.run.state, job.error_code, job.applied) == (
        "cancelled",
        "cancelled",
        "cancelled-on-request",
        1,
    )
    assert "002_points was cancelled on request" in job.error
    assert sessions(ledger, "true") == []
    assert (columns(ledger), ledger.history()) == ({"id"}, [("001_users", "forward")])

    with pytest.raises(NotAllowed, match="is over"):  # too late, and harmless
        request_cancel(job.run, actor=actor("dana"))
    assert Job.objects.get(pk=job.pk).state == "cancelled"


def test_a_cancel_before_anything_began_leaves_nothing_to_claim(ledger):
    ledger.write("001_points", "ALTER TABLE ledger ADD points int")
    job = begin(ledger)

    run = request_cancel(job.run, actor=actor("dana"))

    assert (run.state, run.jobs.get().state) == ("cancelled", "cancelled")
    assert ledger.execute(job).state == "cancelled"
    assert (columns(ledger), ledger.history()) == ({"id"}, [])


def test_the_migration_that_fails_is_undone_the_one_before_stays_and_the_rest_is_the_next_plan(ledger):
    ledger.write("001_users", "CREATE TABLE users (id int)")
    ledger.write("002_points", "ALTER TABLE ledger ADD points int; INSERT INTO ledger SELECT 1 / 0")
    ledger.write("003_later", "CREATE TABLE later (id int)")

    job = ledger.deploy()

    assert (job.state, job.error_code, job.applied) == ("failed", "statement-failed", 1), ledger.output
    assert "Statement 2 of 002_points (line 1) failed: division by zero" in job.error
    assert (ledger.tables(), columns(ledger)) == ({"ledger", "users"}, {"id"})

    ledger.write("002_points", "ALTER TABLE ledger ADD points int")
    job = ledger.deploy()

    assert [entry["name"] for entry in job.run.plan["migrations"]] == ["002_points", "003_later"]
    assert (job.state, job.applied) == ("succeeded", 2)
    assert [name for name, _ in ledger.history()] == ["001_users", "002_points", "003_later"]
