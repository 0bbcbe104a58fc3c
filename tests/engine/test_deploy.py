"""From files to a changed database, by an executor in a process of its own."""

from deployments.models import StepLog
from deployments.selectors.audit import check_chain, events_about


def test_pending_migrations_are_applied_in_order_and_recorded(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int PRIMARY KEY)", "DROP TABLE ledger")
    rewards.write("002_points", "ALTER TABLE ledger ADD points int; COMMENT ON TABLE ledger IS 'points'")

    job = rewards.deploy()

    assert (job.state, job.run.state, job.applied) == ("succeeded", "succeeded", 2), rewards.output
    assert rewards.tables() == {"ledger"}
    assert rewards.history() == [("001_ledger", "forward"), ("002_points", "forward")]
    assert [(step.name, step.state) for step in job.steps.all()] == [
        ("preflight", "succeeded"),
        ("backup", "skipped"),  # the policy asks for none here
        ("checks before", "skipped"),  # no table was there
        ("migrate", "succeeded"),
        ("checks after", "succeeded"),
        ("smoke", "skipped"),
        ("health check", "skipped"),
        ("watch", "skipped"),
    ]
    assert StepLog.objects.filter(line="002_points: committed").exists()
    assert [told.after for told in events_about(job.run)][-3:] == ["queued", "running", "succeeded"]
    assert check_chain().is_whole


def test_only_what_is_pending_is_planned(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    rewards.write("002_users", "CREATE TABLE users (id int)")

    job = rewards.deploy()

    assert [entry["name"] for entry in job.run.plan["migrations"]] == ["002_users"]
    assert rewards.history() == [("001_ledger", "forward"), ("002_users", "forward")]
