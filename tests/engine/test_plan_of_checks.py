"""What a plan says about the scripts that only read, about health, and about the way back."""

from checks.health import Expectation
from deployments.actors import COMMAND_LINE
from deployments.pipelines.executor import context
from deployments.services import setup
from tests.postgres.places import Stopper


def test_a_smoke_script_that_does_more_than_read_raises_the_class(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    script = "-- expect: true\nSELECT pg_terminate_backend(pid) FROM pg_stat_activity LIMIT 1"
    (rewards.source / "smoke.sql").write_text(script)
    rewards.sync()

    run = rewards.plan()

    assert run.plan["class"] == "high-risk"
    reason = "smoke.sql: line 2: does something that cannot be analysed: a call of pg_terminate_backend()"
    assert reason in run.judgement["reasons"]


def test_a_verify_script_that_was_spoiled_since_does_not_hold_up_the_way_back(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    (rewards.source / "001_ledger.verify.sql").write_text("-- expect: 0\nSELECT count(*) FROM ledger")
    done = rewards.deploy()
    (rewards.source / "001_ledger.verify.sql").write_text("SELECT 1")
    rewards.sync()

    back = rewards.plan_rollback(done.run)

    assert back.plan["migrations"][0]["verify"] == done.run.plan["migrations"][0]["verify"]


def test_a_way_back_asks_for_nothing_that_its_pipeline_does_not_do(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.deploy()
    done = rewards.execute(rewards.start(rewards.plan(rewards.production)))

    asked = rewards.plan_rollback(done.run, rewards.production).plan["requirements"]

    assert (asked["staging_first"], asked["backup"], asked["watch_seconds"]) == (False, False, 0)
    assert asked["rollback"] is True


def test_the_health_check_that_people_approved_is_the_one_that_is_asked(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    environment = rewards.staging.environment
    setup.set_health_check(environment, Expectation(url="http://127.0.0.1:9/approved"), actor=COMMAND_LINE)
    run = rewards.plan()

    setup.set_health_check(environment, Expectation(url="http://127.0.0.1:9/other"), actor=COMMAND_LINE)

    assert run.plan["health"]["url"] == "http://127.0.0.1:9/approved"
    assert context(rewards.start(run), Stopper()).health.url == "http://127.0.0.1:9/approved"
