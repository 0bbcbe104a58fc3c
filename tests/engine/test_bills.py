"""The bill of a step that stopped is kept with it, whatever stopped it; a dump over budget leaves nothing behind."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.models import Backup, Job, Policy, StepLog
from deployments.postgres.backup import dump
from deployments.selectors.evidence import evidence_of
from deployments.services.decide import request_cancel
from deployments.services.pause import request_pause
from tests.engine.backups import LEDGER, files_in, step_of, store_of
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import executing, now
from tests.engine.processes import eventually

PATIENT = {"oldest_seconds": 60, "total_seconds": 600}
ASKS = "SELECT count(*) FROM ledger WHERE id = 4711"
DUMPING = """
SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE datname = current_database() AND application_name LIKE 'locktender/%' AND wait_event_type = 'Lock'
AND granted AND mode = 'AccessShareLock' AND relation = 'ledger'::regclass
"""


@pytest.fixture
def ledger(rewards) -> Rewards:
    """Staging with a table of a thousand rows."""
    with rewards.connect() as opened:
        opened.execute(LEDGER)
    return rewards


def policy(rewards: Rewards, **rules: object) -> None:
    Policy.objects.create(environment=rewards.staging.environment, version=2, rules=rules, reason="For a test")


def waits(job: Job) -> int:
    return job.steps.filter(name="migrate", progress__waits__waiting=1).count()


def paid(job: Job) -> list[str]:
    """Return the statements on the bill of the step that stopped."""
    return [one["query"] for one in step_of(job, "migrate").evidence["bill"]["queries"]]


def run_until(rewards: Rewards, script: str, act: Callable[[Job], object]) -> Job:
    """Run a script that locks the ledger; once the application waits for it, act. Return the job as it is then."""
    policy(rewards, blocking_budget=PATIENT)
    rewards.write("001_points", f"ALTER TABLE ledger ADD points int; {script}")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with ThreadPoolExecutor(1) as threads, rewards.connect(application_name="shop") as shop:
        with executing(rewards, job):
            eventually(lambda: job.steps.filter(name="migrate", progress__statement=2).exists())
            asking = threads.submit(shop.execute, ASKS)
            eventually(lambda: waits(job))
            act(job)
        assert asking.result(30).fetchone() == (0,)
    return now(job)


def test_what_the_application_paid_for_a_cancelled_migration_is_kept(ledger):
    job = run_until(ledger, "SELECT pg_sleep(60)", lambda job: request_cancel(job.run, actor=actor("dana")))

    assert (job.state, job.error_code) == ("cancelled", "cancelled-on-request")
    assert paid(job) == ["SELECT count(*) FROM ledger WHERE id = ?"]
    told = dict(evidence_of(step_of(job, "migrate")).facts)
    assert told["Bill"].value.startswith("1 session × ")  # noqa: RUF001
    assert "Stopped, because" not in told  # it was within its budget


def test_what_the_application_paid_for_a_migration_that_the_server_refused_is_kept(ledger):
    with ledger.connect() as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        # It looks instead of waiting for the lock: a wait would be given up, and the application let through,
        # before the page of a busy machine has told of it.
        looks = "WHILE NOT pg_try_advisory_xact_lock(1) LOOP PERFORM pg_sleep(0.02); END LOOP"
        script = f"DO $$ BEGIN {looks}; PERFORM 1 / 0; END $$"
        job = run_until(ledger, script, lambda _: gate.execute("SELECT pg_advisory_unlock(1)"))

    assert (job.state, job.error_code) == ("failed", "statement-failed")
    assert paid(job) == ["SELECT count(*) FROM ledger WHERE id = ?"]


def test_a_pause_keeps_the_bills_of_what_was_done_before_it(ledger):
    ledger.write("001_points", "ALTER TABLE ledger ADD points int")
    ledger.write("002_more", "ALTER TABLE gate ADD more int")
    with ledger.connect() as holder:
        holder.execute("CREATE TABLE gate (id int)")
        ledger.sync()
        job = ledger.start(ledger.plan())
        holder.execute("BEGIN; LOCK TABLE gate")
        with executing(ledger, job):
            eventually(lambda: StepLog.objects.filter(step__job=job, line__contains="trying again").exists())
            request_pause(job.run, reason="The shop is busy", actor=actor("noor"))

    assert (now(job).state, now(job).applied) == ("queued", 1)
    evidence = step_of(job, "migrate").evidence
    assert set(evidence["waits"]) == {"001_points", "002_more"}
    assert evidence["waits"]["002_more"]["tries"] >= 1
    assert evidence["bill"]["in_our_way"][0]["relation"] == "public.gate"


def test_a_dump_that_holds_up_the_application_fails_the_run_and_nothing_is_left_behind(ledger, monkeypatch):
    monkeypatch.setattr(dump, "LOCK_WAIT_MILLISECONDS", 60_000)  # so long pg_dump waits for the table below
    policy(ledger, backup=True, blocking_budget=PATIENT | {"oldest_seconds": 0.2})
    ledger.write("001_points", "ALTER TABLE ledger ADD points int")
    with ledger.connect() as opened:
        opened.execute("CREATE TABLE other (id int)")
    ledger.sync()
    job = ledger.start(ledger.plan())
    with (
        ThreadPoolExecutor(2) as threads,
        ledger.connect(application_name="importer") as importer,
        ledger.connect(application_name="nightly") as nightly,
        ledger.connect(application_name="shop") as shop,
    ):
        importer.execute("BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE")
        with executing(ledger, job), ledger.connect() as looking:
            eventually(lambda: looking.execute(DUMPING).fetchall())
            truncate = threads.submit(nightly.execute, "TRUNCATE ledger")
            asking = threads.submit(shop.execute, ASKS)
        truncate.result(30)
        assert asking.result(30).fetchone() == (0,)
        importer.execute("ROLLBACK")

    job, step = now(job), step_of(job, "backup")
    assert (job.state, job.error_code, job.applied) == ("failed", "over-budget", 0)
    assert job.error.startswith("Nothing changed. The dump was cancelled, because it held up the application: ")
    assert (step.state, step.error_code) == ("failed", "over-budget")
    assert step.evidence["bill"]["over"]["limit"] == "oldest_seconds"
    assert "TRUNCATE ledger" in [one["query"] for one in step.evidence["bill"]["queries"]]
    assert "4711" not in json.dumps([step.evidence, step.progress])
    assert files_in(store_of(ledger)) == set()
    assert not Backup.objects.exists()
    assert not job.steps.filter(name="migrate").exclude(state="pending").exists()
    with ledger.connect() as opened:
        assert ledger.history() == []
        assert opened.execute("SELECT count(*) FROM pg_attribute WHERE attname = 'points'").fetchone() == (0,)
