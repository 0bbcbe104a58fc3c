"""A run in doubt goes on when a person says so, and a copied target is trusted again when a person says so."""

import pytest
from psycopg import sql

from deployments.actors import COMMAND_LINE
from deployments.authority import NotAllowed
from deployments.models import Job
from deployments.models.grant import Role
from deployments.pipelines.adopting import readopt_database
from deployments.selectors.audit import events_about
from deployments.services.decide import request_cancel
from deployments.services.plan_refusals import NothingToRevert
from deployments.services.resolve import NothingToResolve, ResolveReasonMissing, give_up, run_again
from deployments.services.setup import grant
from deployments.services.transition import claim_job, move_job
from deployments.states import JobState
from tests.engine.conftest import actor


@pytest.fixture
def in_doubt(rewards, settings) -> Job:
    """A job whose executor could not tell what the database did."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.sync()
    job = rewards.start(rewards.plan())
    held = claim_job(job.pk, executor="lost", lease=settings.CONFIGURATION.lease, actor=COMMAND_LINE)
    move_job(held, JobState.NEEDS_ATTENTION, actor=COMMAND_LINE, error="It is not known whether 001_ledger happened")
    return held


def test_run_again_asks_the_target_first_and_goes_on(rewards, in_doubt):
    run_again(in_doubt.run, reason="The server answers again", actor=actor("noor"))

    job = rewards.execute(in_doubt)

    assert (job.state, job.claims, rewards.tables()) == ("succeeded", 2, {"ledger"}), rewards.output
    told = events_about(job).get(actor__username="noor")
    assert (told.before, told.after, told.reason) == ("needs_attention", "queued", "The server answers again")


def test_giving_up_ends_the_run_and_frees_the_database(rewards, in_doubt):
    give_up(in_doubt.run, reason="Wrong server", actor=actor("lee"))

    in_doubt.run.refresh_from_db()
    assert in_doubt.run.state == "failed"
    assert rewards.history() == []
    assert rewards.deploy().state == "succeeded"


def test_only_on_call_and_dba_decide_and_only_with_a_reason(rewards, in_doubt):
    with pytest.raises(NotAllowed):
        run_again(in_doubt.run, reason="Please", actor=actor("dana"))
    with pytest.raises(ResolveReasonMissing):
        give_up(in_doubt.run, reason=" ", actor=actor("lee"))
    in_doubt.refresh_from_db()
    assert in_doubt.state == "needs_attention"


def test_what_is_in_doubt_is_not_cancelled_because_nothing_runs(rewards, in_doubt):
    in_doubt.run.refresh_from_db()

    with pytest.raises(NotAllowed, match=r"nothing runs that could stop\. Run it again, or give it up\."):
        request_cancel(in_doubt.run, actor=actor("noor"))

    in_doubt.run.refresh_from_db()
    assert in_doubt.run.cancel_requested_at is None


def test_a_run_that_is_not_in_doubt_has_nothing_to_resolve(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    job = rewards.deploy()

    with pytest.raises((NotAllowed, NothingToResolve)):
        run_again(job.run, reason="Again", actor=actor("lee"))


def test_a_run_that_committed_nothing_is_not_rolled_back_for_another(rewards, in_doubt):
    give_up(in_doubt.run, reason="Wrong server", actor=actor("lee"))
    deployed = rewards.deploy()

    with pytest.raises((NothingToRevert, NotAllowed)):
        rewards.plan_rollback(in_doubt.run)
    assert rewards.execute(rewards.start(rewards.plan_rollback(deployed.run))).state == "succeeded"
    with pytest.raises((NothingToRevert, NotAllowed)):
        rewards.plan_rollback(deployed.run)


def test_a_copy_is_adopted_with_its_history_and_deployed_to(rewards, superuser, database):
    """Staging restored from production: refused until a person re-adopts it, then it goes on from there."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.deploy(rewards.staging)
    rewards.execute(rewards.start(rewards.plan(rewards.production)))
    staging, production = (sql.Identifier(f"{database}_{name}") for name in ("staging", "production"))
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(staging))
    superuser.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER migrator").format(staging, production))
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")

    refused = rewards.deploy(rewards.staging)
    assert (refused.state, refused.error_code) == ("failed", "copied-database")
    assert rewards.tables(rewards.staging) == {"ledger"}

    before = readopt_database(rewards.staging, reason="Restored from production", actor=actor("lee"))
    assert (before.marked.database_name, before.found.database_name) == (
        f"{database}_production",
        f"{database}_staging",
    )
    assert rewards.deploy(rewards.staging).state == "succeeded"
    assert rewards.tables(rewards.staging) == {"ledger", "users"}


def test_who_sets_up_and_who_grants_is_asked_for_the_role(rewards):
    with pytest.raises(NotAllowed, match="that takes the role Administrator"):
        grant("dana", Role.ADMINISTRATOR, actor=actor("dana"))
    grant("sam", Role.ADMINISTRATOR, actor=COMMAND_LINE)
    assert grant("dana", Role.DBA, actor=actor("sam")).role == "dba"
