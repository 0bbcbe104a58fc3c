"""A way back that is committed is done: what is found afterwards fails its run, and takes nothing of it back."""

import pytest

from deployments.models import HealthCheck, Job, User
from deployments.selectors.run_list import Filter, run_list
from deployments.selectors.runs import effect_of, failed_afterwards, reverting
from deployments.selectors.way_back import way_back
from deployments.services.plan_refusals import NothingToRevert
from tests.application import answering, running
from tests.engine.conftest import Rewards

BALANCES = "-- expect: unchanged\nSELECT id, points FROM ledger;\n"
FORGETS = "ALTER TABLE ledger DROP note; UPDATE ledger SET points = 0 WHERE id = 1"


@pytest.fixture
def noted(rewards) -> Job:
    """A deployment on staging whose rollback script spoils what its verify script asks for."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int PRIMARY KEY, points int)")
        opened.execute("INSERT INTO ledger VALUES (1, 10), (2, 20)")
    rewards.write("001_note", "ALTER TABLE ledger ADD note text", FORGETS)
    (rewards.source / "001_note.verify.sql").write_text(BALANCES)
    return rewards.deploy()


def go_back(rewards: Rewards, deployed: Job, **environment: str) -> Job:
    return rewards.execute(rewards.start(rewards.plan_rollback(deployed.run)), **environment)


def test_a_check_that_fails_after_a_rollback_fails_its_run_and_the_other_run_is_rolled_back_all_the_same(
    rewards, noted
):
    back = go_back(rewards, noted)

    assert (back.state, back.error_code, effect_of(back)) == (
        "failed",
        "integrity-failed",
        "all rolled back, a check failed",
    ), rewards.output
    assert "The rollback is committed and stays." in back.error
    assert reverting(noted.run.reverted_by.all()) == back.run
    assert failed_afterwards(back.run) == ", which failed afterwards because a check failed"
    assert way_back(noted.run).closed == (
        "Run #2, which failed afterwards because a check failed, has rolled it back already."
    )
    effects = [line.effect for line in run_list(User.objects.get(username="noor"), Filter()).lines]
    assert effects == [
        "all rolled back, a check failed",
        "all applied, rolled back by #2, which failed afterwards because a check failed",
    ]


def test_what_is_rolled_back_with_a_failed_check_stays_so_when_it_is_deployed_again(rewards, noted):
    """Else a second way back from the first run would take away what another run has made since."""
    go_back(rewards, noted)
    again = rewards.deploy()
    assert again.state == "succeeded", rewards.output

    with pytest.raises(NothingToRevert, match=r"It was rolled back by run #2, which failed afterwards because a check"):
        rewards.plan_rollback(noted.run)

    assert rewards.plan_rollback(again.run).plan["migrations"][0]["name"] == "001_note"


def test_an_application_that_is_unhealthy_after_a_rollback_is_not_told_to_ask_for_a_way_back(rewards, noted):
    with running(answering(status=503)) as app:
        HealthCheck.objects.create(environment=rewards.staging.environment, url=app.url())
        rewards.write("001_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")
        rewards.sync()
        back = go_back(rewards, noted)

    assert (back.state, effect_of(back)) == ("failed", "all rolled back, unhealthy"), rewards.output
    assert back.error.endswith("it may need what was taken away. Repair it, or deploy again.")
    assert failed_afterwards(back.run) == ", which failed afterwards because the application is unhealthy"


def test_a_way_back_that_undid_only_a_part_is_none_that_is_done(rewards, noted):
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    rewards.write("001_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")
    go_back(rewards, noted)
    both = rewards.deploy()
    assert both.applied == 2, rewards.output
    rewards.write("001_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP nothing")
    rewards.sync()

    back = go_back(rewards, both)

    assert effect_of(back) == "1 of 2 rolled back"
    assert reverting(both.run.reverted_by.all()) is None
    assert way_back(both.run).closed == ""
