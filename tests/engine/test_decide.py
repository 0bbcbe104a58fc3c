"""People decide about a digest; what is unmet keeps a run from starting; cancelling says what it did."""

import os

import pytest
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.actors import COMMAND_LINE
from deployments.authority import NotAllowed
from deployments.models import Approval, ControlPlane, Job
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.pipelines.observing import target_of
from deployments.postgres.ledger import install, installation_sql
from deployments.selectors.audit import events_about
from deployments.selectors.runs import unmet_of
from deployments.services import setup
from deployments.services.decide import (
    DecidedAlready,
    NotYet,
    PlanIsAnother,
    decide,
    request_cancel,
    start,
)
from deployments.services.transition import IllegalTransition
from tests.engine.conftest import actor

HIGH_RISK = "TRUNCATE ledger"


@pytest.fixture
def waiting(rewards):
    """A high-risk run on production that staging already has: it waits for a DBA and an architect."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_all", HIGH_RISK)
    rewards.deploy(rewards.staging)
    return rewards.plan(rewards.production)


def test_a_high_risk_run_starts_when_dba_and_architect_agreed(rewards, waiting):
    assert [one.rule for one in unmet_of(waiting)] == ["approval-architect", "approval-dba"]
    with pytest.raises(NotYet, match=r"Waits for approval by 1 architect\. Waits for approval by 1 DBA\."):
        start(waiting, actor=actor("dana"))
    assert not Job.objects.filter(run=waiting).exists()

    rewards.approve(waiting, "lee", "mika")

    assert start(waiting, actor=actor("dana")).state == "queued"
    assert rewards.execute(waiting.jobs.get()).state == "succeeded"
    assert [told.action for told in events_about(waiting)][:3] == ["run.requested", "run.approved", "run.approved"]


def test_an_approval_is_for_the_digest_that_was_read(rewards, waiting):
    with pytest.raises(PlanIsAnother, match="Read the plan again"):
        decide(waiting, verdict=Verdict.APPROVED, digest="0" * 64, actor=actor("lee"))
    assert not Approval.objects.exists()


def test_nobody_approves_what_they_requested(rewards, waiting):
    setup.grant("dana", Role.DBA, actor=COMMAND_LINE)

    with pytest.raises(NotAllowed, match=r"You requested run #2. Somebody else decides about it."):
        rewards.approve(waiting, "dana")
    assert not Approval.objects.exists()


def test_a_person_decides_once(rewards, waiting):
    rewards.approve(waiting, "lee")

    with pytest.raises(DecidedAlready):
        rewards.approve(waiting, "lee")
    assert waiting.approvals.count() == 1


def test_a_no_rejects_the_run_for_good(rewards, waiting):
    decide(waiting, verdict=Verdict.REJECTED, digest=waiting.digest, comment="Too much", actor=actor("lee"))

    waiting.refresh_from_db()
    assert waiting.state == "rejected"
    with pytest.raises(NotAllowed, match="there is nothing left to decide"):
        rewards.approve(waiting, "mika")
    with pytest.raises(IllegalTransition):
        start(waiting, actor=actor("dana"))


def test_a_run_starts_once(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    run = rewards.plan()
    start(run, actor=actor("dana"))

    with pytest.raises(IllegalTransition, match="cannot go from queued to queued"):
        start(run, actor=actor("dana"))
    assert run.jobs.count() == 1


@pytest.mark.parametrize("started", [False, True])
def test_cancelling_before_anything_began_is_done_at_once(rewards, started):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    run = rewards.plan()
    job = rewards.start(run) if started else None

    assert request_cancel(run, actor=actor("noor")).state == "cancelled"
    if job is not None:
        assert rewards.execute(job).state == "cancelled"
    assert rewards.history() == []


def test_who_may_not_cancel_is_told(rewards, waiting):
    with pytest.raises(NotAllowed, match="that takes the role"):
        request_cancel(waiting, actor=actor("mika"))


def test_the_way_back_is_a_run_of_its_own(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    deployed = rewards.deploy()

    back = rewards.plan_rollback(deployed.run)
    job = rewards.execute(rewards.start(back))

    assert (job.state, back.kind, back.reverts) == ("succeeded", "rollback", deployed.run), rewards.output
    assert rewards.tables() == set()
    assert rewards.history()[2:] == [("002_users", "rollback"), ("001_ledger", "rollback")]
    again = rewards.deploy()
    assert (again.state, rewards.tables()) == ("succeeded", {"ledger", "users"})


def test_a_decision_and_its_start_never_touch_the_broker_or_a_target(rewards, waiting, monkeypatch):
    """A hung Redis or a dead target must not hang an approval: neither is reachable here."""
    monkeypatch.setenv("REWARDS_PRODUCTION", "host=127.0.0.1 port=9")
    monkeypatch.setattr("celery.Celery.send_task", None)

    rewards.approve(waiting, "lee", "mika")

    assert start(waiting, actor=actor("dana")).state == "queued"
    assert not connection.in_atomic_block


def test_what_is_rolled_back_is_not_rolled_back_again(rewards):
    """A way back that failed half-way is finished by the next one, which leaves alone what is back already."""
    rewards.write("001_ledger", "CREATE TABLE ledger (points int)", "DROP TABLE ledgr")
    rewards.write("002_bonus", "INSERT INTO ledger VALUES (1)", "INSERT INTO ledger VALUES (-1)")
    deployed = rewards.deploy()
    half = rewards.execute(rewards.start(rewards.plan_rollback(deployed.run)))
    assert (half.state, half.applied) == ("failed", 1)
    rewards.write("001_ledger", "CREATE TABLE ledger (points int)", "DROP TABLE ledger")
    rewards.sync()

    rest = rewards.plan_rollback(deployed.run)

    assert [entry["name"] for entry in rest.plan["migrations"]] == ["001_ledger"]
    assert rewards.execute(rewards.start(rest)).state == "succeeded"
    assert [told for told in rewards.history() if told[1] == "rollback"] == [
        ("002_bonus", "rollback"),
        ("001_ledger", "rollback"),
    ]


def test_a_way_back_leaves_alone_what_the_run_did_not_apply(rewards, superuser, database, monkeypatch):
    """The second database failed, and has a table of its own by that name later: rolling back must not drop it."""
    name = f"{database}_second"
    superuser.execute(sql.SQL("CREATE DATABASE {} OWNER migrator").format(sql.Identifier(name)))
    monkeypatch.setenv("REWARDS_SECOND", make_conninfo(os.environ["REWARDS_STAGING"], dbname=name))
    second = setup.add_database(
        rewards.staging.environment, "second", connection="env:REWARDS_SECOND", owner_role="", actor=COMMAND_LINE
    )
    install(target_of(second), installation_sql(control_plane_id=ControlPlane.objects.get().pk, database_id=second.pk))
    fails_there = "SELECT 1 / (length(current_database()) * 0) WHERE current_database() LIKE '%second'"
    rewards.write("001_ledger", f"CREATE TABLE ledger (id int); {fails_there}", "DROP TABLE ledger")
    rewards.sync()
    rewards.observe(second)
    run = start(rewards.plan(), actor=actor("dana"))
    one, two = run.jobs.all()
    assert (rewards.execute(one).state, rewards.execute(two).state) == ("succeeded", "failed")
    run.refresh_from_db()
    with rewards.connect(second) as application:
        application.execute("CREATE TABLE ledger (mine int)")
    rewards.observe(second)

    back = rewards.plan_rollback(run)

    assert [entry["name"] for entry in back.plan["databases"]] == ["staging"]
    assert rewards.execute(rewards.start(back)).state == "succeeded"
    assert (rewards.tables(), rewards.tables(second)) == (set(), {"ledger"})
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
