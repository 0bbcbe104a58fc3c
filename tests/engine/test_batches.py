"""Runs whose statements go in batches: planned with what is sent, resumed after any death, refused where they must."""

from datetime import timedelta

import pytest
from django.utils import timezone

from checks.batching import declared
from deployments.models import Job, MigrationRun, StepLog
from deployments.planning import PlanBlocked
from deployments.postgres.batches import run
from deployments.postgres.batches.ledger import UPGRADE
from deployments.services.policy import change_policy
from tests.engine.conftest import SHORT_LEASE, Rewards, actor
from tests.engine.processes import eventually

BY_ID = "-- locktender: batch table=users key=id size=10\n"
RAISE = BY_ID + "UPDATE users SET visits = visits + 1"
SLOWLY = RAISE + " + (SELECT length(pg_sleep(0.05)::text))"
BACK = BY_ID + "UPDATE users SET visits = visits - 1"


@pytest.fixture
def users(rewards) -> Rewards:
    """A hundred users on both targets; `visits` counts how often a row was changed."""
    for database in (rewards.staging, rewards.production):
        with rewards.connect(database) as opened:
            opened.execute("CREATE TABLE users (id int PRIMARY KEY, visits int NOT NULL DEFAULT 0)")
            opened.execute("INSERT INTO users SELECT n FROM generate_series(1, 100) n")
            opened.execute("ANALYZE users")
    return rewards


def rows(rewards, query: str) -> list[tuple]:
    with rewards.connect() as opened:
        return opened.execute(query).fetchall()


def visits(rewards) -> list[tuple[int, int]]:
    """Return how many rows have been changed how often."""
    return rows(rewards, "SELECT visits, count(*) FROM users GROUP BY 1 ORDER BY 1")


def batches(rewards) -> int:
    return rows(rewards, "SELECT coalesce(sum(batches), 0)::int FROM locktender.batch")[0][0]


def begin(users, text: str):
    """Plan and start a run of one migration and return its job."""
    users.write("001_visits", text, BACK)
    users.sync()
    return users.start(users.plan())


def test_a_run_in_batches_is_planned_with_what_is_sent_and_leaves_its_counts_as_evidence(users):
    users.write("001_visits", RAISE, BACK)

    job = users.deploy()

    assert (job.state, visits(users)) == ("succeeded", [(1, 100)]), job.error
    sent = "UPDATE users SET visits = visits + 1 WHERE users.id >= $1 AND users.id <= $2"
    planned = {"migration": "001_visits", "statement": 1, "table": "users", "key": ["id"], "size": 10, "sql": sent}
    assert job.run.plan["batches"] == [planned]
    step = job.steps.get(name="migrate")
    [told] = step.evidence["batches"]
    assert {name: told[name] for name in ("statement", "table", "key", "rows", "keys", "batches")} == {
        "statement": 1,
        "table": "users",
        "key": "id",
        "rows": 100,
        "keys": 100,
        "batches": 10,
    }
    assert step.progress["batch"]["percent"] == 100
    assert StepLog.objects.filter(line__startswith="001_visits: statement 1 changed 100 rows in 10 batches").exists()


def test_a_way_back_goes_in_batches_too(users):
    users.write("001_visits", RAISE, BACK)
    job = users.deploy()

    back = users.execute(users.start(users.plan_rollback(job.run)))

    assert (back.state, visits(users)) == ("succeeded", [(0, 100)]), back.error
    assert back.run.plan["batches"][0]["sql"].startswith("UPDATE users SET visits = visits - 1 WHERE")


@pytest.mark.parametrize(
    ("place", "done"), [("statement-about-to-start", 0), ("batch-before-commit", 0), ("batch-committed", 10)]
)
def test_an_executor_that_dies_at_a_named_place_touches_no_row_twice(users, place, done):
    job = begin(users, RAISE)
    users.execute(job, LOCKTENDER_CRASH_AT=place, **SHORT_LEASE)
    assert visits(users)[-1][0] * sum(count for times, count in visits(users) if times) == done
    assert users.history() == []

    eventually(lambda: users.execute(job).state == "succeeded")

    assert visits(users) == [(1, 100)]
    assert batches(users) == 10
    assert users.history() == [("001_visits", "forward")]


def test_an_executor_that_is_killed_in_the_middle_of_a_batch_touches_no_row_twice(users):
    job = begin(users, SLOWLY)
    with users.executor(job, **SHORT_LEASE) as process:
        eventually(lambda: batches(users) >= 2)
        process.kill()

    eventually(lambda: users.execute(job).state == "succeeded")

    assert visits(users) == [(1, 100)]
    assert rows(users, "SELECT keys, rows, done FROM locktender.batch") == [(100, 100, True)]


def test_an_executor_whose_successor_has_gone_on_meanwhile_writes_nothing_more(users, monkeypatch):
    """As one that was halted for longer than its lease: it wakes up between two batches and goes on."""
    job = begin(users, RAISE)
    halted: list[str] = []

    def reached(place: str) -> None:
        if place == "batch-committed" and batches(users) == 3 and not halted:
            halted.append(place)
            eventually(taken_over)

    def taken_over() -> bool:
        # Each time anew: this executor's heart still beats.
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
        return users.execute(job).state == "succeeded"

    monkeypatch.setattr(run, "crash_point", reached)
    users.execute(job)

    assert halted
    assert visits(users) == [(1, 100)]
    assert batches(users) == 10
    assert users.history() == [("001_visits", "forward")]
    assert Job.objects.get(pk=job.pk).claims == 2


def test_what_would_be_sent_must_be_what_the_plan_was_approved_with(users, monkeypatch):
    job = begin(users, RAISE)
    other = "UPDATE users SET visits = visits + 1 WHERE users.id > $1 AND users.id <= $2"
    monkeypatch.setattr(declared, "ranged", lambda *_: other)

    job = users.execute(job)

    assert (job.state, job.error_code, job.run.state) == ("cancelled", "plan-moved", "superseded")
    assert "what would be sent for a batch is not what the plan says" in job.error
    assert visits(users) == [(0, 100)]


def test_a_target_without_the_table_is_refused_before_anything_runs_and_other_plans_still_run(users):
    with users.connect() as opened:
        opened.execute("DROP TABLE locktender.batch")
    users.write("001_plain", "CREATE TABLE more (id int)")
    assert users.deploy().state == "succeeded"

    users.write("002_visits", RAISE, BACK)
    job = users.deploy()

    assert (job.state, job.error_code) == ("failed", "target-schema-older")
    assert UPGRADE in job.error
    assert visits(users) == [(0, 100)]
    with users.connect() as opened:
        opened.execute(UPGRADE)
    assert users.deploy().state == "succeeded"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BY_ID + "UPDATE users SET id = id + 1", "it changes id, the key that the batches go by"),
        (BY_ID + "SELECT 1", "only UPDATE, DELETE and INSERT … SELECT can be batched"),
        ("-- locktender: batch table=users key=visits size=10\nDELETE FROM users WHERE id > 5", "Usable here: key=id."),
        ("-- locktender: batch table=users\nDELETE FROM users WHERE id > 5", "it must say table=TABLE key=COLUMN"),
        (f"CREATE TABLE more (id int PRIMARY KEY);\n{RAISE}", "is run in batches, not in one transaction"),
    ],
)
def test_what_cannot_be_batched_is_refused_with_the_reason_before_anything_runs(users, text, problem):
    users.write("001_refused", text)
    users.sync()

    with pytest.raises(PlanBlocked) as refused:
        users.plan(users.production)

    assert problem in str(refused.value)
    assert (users.tables(), visits(users)) == ({"users"}, [(0, 100)])


def test_a_change_of_more_rows_than_the_policy_allows_is_refused_with_the_line_that_has_it_batched(users):
    change_policy(
        users.production.environment, rules={"plain_rows_limit": 99}, reason="Small tables", actor=actor("lee")
    )
    users.write("001_visits", "UPDATE users SET visits = 1", "SELECT 1")
    users.sync()
    with pytest.raises(PlanBlocked) as refused:
        users.plan(users.production)

    assert {finding.code for _, finding in refused.value.blocking} == {"plain-rows-limit"}
    told = str(refused.value)
    assert "that may be 100 rows, more than the 99 allowed here" in told
    assert "write on the line before it -- locktender: batch table=users key=id size=5000" in told
    assert MigrationRun.objects.count() == 0

    users.write(
        "001_visits", "-- locktender: batch table=users key=id size=5000\nUPDATE users SET visits = 1", "SELECT 1"
    )
    users.sync()
    assert users.plan(users.production).plan["batches"][0]["size"] == 5000
