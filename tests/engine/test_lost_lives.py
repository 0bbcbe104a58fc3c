"""A control database restored from an older backup: the targets know more, and nothing is done twice or mistaken."""

import pytest
from django.core.management import CommandError, call_command

from deployments.authority import NotAllowed
from deployments.models import AuditEvent, ControlPlane, Job, MigrationRun
from deployments.pipelines.answering import answer_request
from deployments.postgres.errors import FenceAhead
from deployments.selectors.lives import standing_of
from deployments.services.adopt import ReadoptionReasonMissing, request_readoption
from tests.engine.conftest import Rewards, actor
from tests.engine.lives import Lives


@pytest.fixture
def lives(rewards, superuser, database, tmp_path) -> Lives:
    """Staging with one migration, deployed by run #1."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    assert rewards.deploy().state == "succeeded"
    return Lives(superuser, database, tmp_path)


def in_history(rewards: Rewards) -> list[tuple]:
    with rewards.connect() as opened:
        return opened.execute("SELECT run, job, migration FROM locktender.history ORDER BY id").fetchall()


def readopt(rewards: Rewards) -> None:
    wish = request_readoption(rewards.staging, reason="The backup was two hours old", actor=actor("lee"))
    assert answer_request(wish.pk)
    wish.refresh_from_db()
    assert wish.error == ""


def lose_a_life(rewards: Rewards, lives: Lives) -> Job:
    """Deploy a second migration, and forget it; return the job as the lost life had it."""
    lives.back_up()
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    lost = rewards.deploy()
    assert lost.state == "succeeded"
    lives.restore()
    assert MigrationRun.objects.count() == 1
    return lost


def test_a_restored_control_database_is_refused_told_and_goes_on_after_a_dba_readopts_the_target(rewards, lives):
    lost = lose_a_life(rewards, lives)
    rewards.write("003_orders", "CREATE TABLE orders (id int)", "DROP TABLE orders")
    rewards.sync()

    with pytest.raises(FenceAhead, match="has seen fence 2, and this control database has given out 1"):
        rewards.plan()

    assert MigrationRun.objects.count() == 1, "no number was given out a second time"
    told = standing_of(rewards.staging)
    assert (told.code, [(row["run"], row["migration"]) for row in told.rows]) == (
        "fence-ahead",
        [(lost.run.number, "002_users")],
    )
    with pytest.raises(NotAllowed, match="that takes the role DBA"):
        request_readoption(rewards.staging, reason="Please", actor=actor("noor"))
    with pytest.raises(ReadoptionReasonMissing):
        request_readoption(rewards.staging, reason=" ", actor=actor("lee"))
    assert rewards.tables() == {"ledger", "users"}

    readopt(rewards)

    begun = AuditEvent.objects.get(action="database.readoption-begun")
    assert (begun.actor_name, begun.reason) == ("lee", "The backup was two hours old")
    assert [(row["run"], row["job"], row["migration"]) for row in begun.after["rows"]] == [
        (lost.run.number, lost.pk, "002_users")
    ]
    assert AuditEvent.objects.filter(action="database.readopted").exists()
    rewards.staging.refresh_from_db()
    assert not standing_of(rewards.staging).is_refused

    after = rewards.execute(rewards.start(rewards.plan()))

    assert (after.state, after.applied) == ("succeeded", 1), after.error
    assert [entry["name"] for entry in after.run.plan["migrations"]] == ["003_orders"]
    assert after.pk > lost.pk
    assert after.run.number > lost.run.number
    assert after.fence > lost.fence
    assert in_history(rewards) == [
        (1, 1, "001_ledger"),
        (lost.run.number, -lost.pk, "002_users"),
        (after.run.number, after.pk, "003_orders"),
    ]


def test_a_job_that_was_queued_in_the_backup_and_done_since_is_not_done_again(rewards, lives):
    """The number, the fence and the plan are the same in both lives: only the target knows that it happened."""
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    rewards.sync()
    queued = rewards.start(rewards.plan())
    lives.back_up()
    assert rewards.execute(queued).state == "succeeded"
    lives.restore()

    job = rewards.execute(queued)

    assert (job.state, job.error_code, job.fence) == ("failed", "fence-ahead", 2)
    assert "has seen fence 2, but this run holds 2" in job.error
    assert job.applied == 1, "what the target has of it is told"
    assert rewards.history() == [("001_ledger", "forward"), ("002_users", "forward")]


def test_a_new_job_with_the_number_of_a_lost_one_does_not_pass_for_it(rewards, lives):
    """Its fence may be higher than any the target saw, because other jobs drew some: then the history gives it away."""
    lost = lose_a_life(rewards, lives)
    rewards.write("003_orders", "CREATE TABLE orders (id int)", "DROP TABLE orders")
    rewards.sync()
    rewards.observe(rewards.production)
    with rewards.connect() as opened:  # as if the lost life had drawn fewer fences than the new one has by now
        opened.execute("UPDATE locktender.fence SET fence = 0")
        opened.execute("UPDATE locktender.history SET migration = '003_orders' WHERE migration = '002_users'")
        opened.execute("UPDATE locktender.history SET job = 900 WHERE job = %s", [lost.pk])
    with pytest.raises(FenceAhead, match="has history of a job that this control database never ran there"):
        rewards.plan()
    with rewards.connect() as opened:  # and as if it had been lost between planning and executing
        opened.execute("UPDATE locktender.history SET job = -900, migration = '002_users' WHERE job = 900")
    job = rewards.start(rewards.plan())
    assert job.pk == lost.pk
    with rewards.connect() as opened:
        opened.execute("UPDATE locktender.history SET job = %s, migration = '003_orders' WHERE job = -900", [job.pk])

    job = rewards.execute(job)

    assert (job.state, job.error_code) == ("failed", "fence-ahead"), "it counted as applied by somebody else's row"
    assert "orders" not in rewards.tables()


def test_the_command_shows_first_and_readopts_with_a_reason(rewards, lives, capsys):
    lost = lose_a_life(rewards, lives)

    call_command("adopt", "rewards/staging/staging")
    shown = capsys.readouterr().out
    assert f"002_users  forward  by run #{lost.run.number} of another life" in shown
    assert "1 job there that this control database never ran there." in shown
    assert not AuditEvent.objects.filter(action__startswith="database.readopt").exists()
    with pytest.raises(CommandError, match="not-allowed"):
        call_command("adopt", "rewards/staging/staging", "--reason", "Restored", "--as", "dana")

    call_command("adopt", "rewards/staging/staging", "--reason", "Restored", "--as", "lee")
    assert "is marked as" in capsys.readouterr().out
    call_command("adopt", "rewards/staging/staging")
    assert "002_users  forward  by adopted before" in capsys.readouterr().out


def test_numbers_only_move_forward_and_nonsense_in_one_target_does_not_use_them_up(rewards, lives):
    plane = ControlPlane.objects.get()
    rewards.observe(rewards.staging)
    with rewards.connect() as opened:
        opened.execute(f"UPDATE locktender.fence SET fence = {2**62}")
    readopt(rewards)
    plane.refresh_from_db()

    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    rewards.sync()
    with pytest.raises(FenceAhead):
        rewards.plan()
    assert plane.last_lost_run == 0

    with rewards.connect() as opened:
        opened.execute("UPDATE locktender.fence SET fence = 0")
    readopt(rewards)
    assert rewards.deploy().state == "succeeded"
