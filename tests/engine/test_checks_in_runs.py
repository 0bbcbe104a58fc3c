"""Verify and smoke scripts in whole runs: what a failed check means for the job, and what a way back compares with."""

import pytest
from django.db.models.functions import Now

from deployments.models import Job, Step
from deployments.selectors.runs import effect_of
from tests.engine.conftest import SHORT_LEASE, Rewards
from tests.engine.processes import eventually

BALANCES = "-- expect: unchanged\nSELECT id, points FROM ledger WHERE id <= 2;\n"


def verify(rewards: Rewards, name: str, text: str) -> None:
    (rewards.source / f"{name}.verify.sql").write_text(text)


@pytest.fixture
def ledger(rewards) -> Rewards:
    """Staging has a ledger of two rows."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int PRIMARY KEY, points int)")
        opened.execute("INSERT INTO ledger VALUES (1, 10), (2, 20)")
    return rewards


def steps(job: Job) -> dict[str, str]:
    return {step.name: step.state for step in job.steps.order_by("position", "attempt")}


def step(job: Job, name: str) -> Step:
    return job.steps.filter(name=name).latest("attempt")


def test_a_deployment_asks_before_and_after_and_then_smoke(ledger):
    ledger.write("001_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")
    verify(ledger, "001_note", f"{BALANCES}-- expect: 2\nSELECT count(*) FROM ledger WHERE note IS NULL;")
    (ledger.source / "smoke.sql").write_text("-- expect: 2\nSELECT count(*) FROM ledger")

    job = ledger.deploy()

    assert job.state == "succeeded", ledger.output
    assert step(job, "checks before").summary == "1 check to be compared afterwards. 1 table counted."
    assert step(job, "checks after").summary == "2 checks passed. 1 table counted."
    assert step(job, "smoke").summary == "1 check passed."
    order = list(steps(job))
    assert order.index("checks before") < order.index("migrate") < order.index("checks after") < order.index("smoke")


def test_a_check_that_fails_after_the_migration_fails_the_job_keeps_the_evidence_and_takes_nothing_back(ledger):
    ledger.write("001_note", "ALTER TABLE ledger ADD note text")
    verify(
        ledger, "001_note", "-- Every entry has a note\n-- expect: 0\nSELECT count(*) FROM ledger WHERE note IS NULL"
    )
    (ledger.source / "smoke.sql").write_text("-- expect: 2\nSELECT count(*) FROM ledger")

    job = ledger.deploy()

    assert (job.state, job.error_code, job.applied) == ("failed", "integrity-failed", 1), ledger.output
    assert effect_of(job) == "all applied, a check failed"
    failed = step(job, "checks after")
    assert (failed.state, failed.error_code) == ("failed", "integrity-failed")
    assert "001_note, check 1 (Every entry has a note): 2; 0 was expected." in failed.summary
    assert [(one["title"], one["verdict"]) for one in failed.evidence["checks"]] == [
        ("Every entry has a note", "failed")
    ]
    assert "smoke" not in steps(job)
    assert ledger.history() == [("001_note", "forward")]


def test_a_query_that_cannot_be_asked_before_stops_the_job_before_anything_is_changed(ledger):
    ledger.write("001_note", "ALTER TABLE ledger ADD note text")
    verify(ledger, "001_note", "-- expect: unchanged\nSELECT id, pionts FROM ledger")

    job = ledger.deploy()

    assert (job.state, job.error_code, effect_of(job)) == ("failed", "integrity-failed", "nothing applied")
    assert "migrate" not in steps(job)
    assert ledger.history() == []


def test_a_constraint_that_is_not_valid_any_more_and_new_orphans_fail_without_any_script(rewards):
    rewards.write(
        "001_ledger",
        "CREATE TABLE users (id int PRIMARY KEY);"
        "CREATE TABLE ledger (id int, owner int CONSTRAINT ledger_owner REFERENCES users)",
    )
    rewards.deploy()
    rewards.write(
        "002_owner",
        "ALTER TABLE ledger DROP CONSTRAINT ledger_owner; INSERT INTO ledger VALUES (1, 9);"
        "ALTER TABLE ledger ADD CONSTRAINT ledger_owner FOREIGN KEY (owner) REFERENCES users NOT VALID",
    )

    job = rewards.deploy()

    told = step(job, "checks after").summary
    assert (job.error_code, effect_of(job)) == ("integrity-failed", "all applied, a check failed"), rewards.output
    assert "Constraint ledger_owner of public.ledger: It was valid before and is not valid now." in told
    assert "Foreign key ledger_owner of public.ledger: 1 row refers to nothing; before it was 0." in told


def test_a_way_back_that_restores_the_balances_passes_against_the_time_before_the_deployment(ledger):
    double, halve = (f"UPDATE ledger SET points = points {by} WHERE id <= 2" for by in ("* 2", "/ 2"))
    ledger.write("001_double", double, halve)
    verify(ledger, "001_double", BALANCES)
    deployed = ledger.deploy()

    job = ledger.execute(ledger.start(ledger.plan_rollback(deployed.run)))

    assert effect_of(deployed) == "all applied, a check failed"
    assert job.state == "succeeded", ledger.output
    (check,) = step(job, "checks after").evidence["checks"]
    assert (check["verdict"], check["detail"]) == ("passed", "2 rows, again as before the deployment.")
    assert "smoke" not in steps(job)


def test_rows_that_come_while_the_migration_waits_are_called_traffic(ledger):
    ledger.write("001_note", "ALTER TABLE ledger ADD note text")
    verify(ledger, "001_note", BALANCES)
    ledger.sync()
    job = ledger.start(ledger.plan())

    with ledger.connect() as shop:
        shop.execute("BEGIN")
        shop.execute("INSERT INTO ledger VALUES (3, 30)")  # seen by nobody, and the ALTER waits for it
        with ledger.executor(job) as process:
            eventually(lambda: Step.objects.filter(job=job, name="migrate", state="running").exists())
            shop.execute("COMMIT")
            process.communicate(timeout=60)

    job.refresh_from_db()
    (rows,) = step(job, "checks after").evidence["rows"]
    assert job.state == "succeeded"
    assert (rows["count"], rows["detail"]) == (3, "2 before: moved by traffic.")


def test_an_executor_that_dies_after_the_commit_is_followed_by_one_that_keeps_the_answers_from_before(ledger):
    ledger.write("001_double", "UPDATE ledger SET points = points * 2 WHERE id <= 2")
    verify(ledger, "001_double", BALANCES)
    ledger.sync()
    job = ledger.start(ledger.plan())
    ledger.execute(job, LOCKTENDER_CRASH_AT="migration-committed", **SHORT_LEASE)
    noted = step(job, "checks before")
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())

    job = ledger.execute(job)

    assert (job.claims, job.error_code) == (2, "integrity-failed"), ledger.output
    assert job.steps.get(name="checks before").finished_at == noted.finished_at
    (check,) = step(job, "checks after").evidence["checks"]
    assert check["detail"] == "2 rows before and after, but not with the same content."
