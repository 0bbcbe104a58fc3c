"""A database that was changed past Locktender: deploys to a protected one wait for a person, a way back does not."""

import pytest

from deployments.actors import COMMAND_LINE
from deployments.models import Database, Environment, HistoryAlarm, Job, Step
from deployments.models.schema import Expected
from deployments.pipelines.observing import observe_database
from deployments.selectors.around import schemas_around
from deployments.selectors.drift import Drift, Stand, drift_of
from deployments.services.drift import accept_drift
from tests.engine.conftest import Rewards, actor


@pytest.fixture
def protected(rewards) -> Rewards:
    """Staging as a protected environment whose policy asks nobody."""
    Environment.objects.filter(pk=rewards.staging.environment_id).update(is_protected=True)
    rewards.write("001_ledger", "CREATE TABLE ledger (id int PRIMARY KEY)", "DROP TABLE ledger")
    return rewards


def drift(rewards: Rewards) -> Drift:
    return drift_of(Database.objects.get(pk=rewards.staging.pk))


def preflight(job: Job) -> Step:
    return job.steps.get(name="preflight")


def test_a_drift_holds_up_a_deploy_until_a_dba_accepts_it_and_never_a_way_back(protected):
    first = protected.deploy()
    assert preflight(first).evidence["drift"] == {"stand": "in sync", "lines": []}
    (around,) = schemas_around(first.run)
    assert [str(one.object) for one in around.difference.changes] == ["table public.ledger"]
    assert drift(protected).expected.job == first

    with protected.connect() as somebody:
        somebody.execute("CREATE INDEX theirs ON ledger (id)")
    protected.write("002_coupons", "CREATE TABLE coupons (id int)", "DROP TABLE coupons")
    refused = protected.deploy()

    line = "table public.ledger: index theirs added: definition: CREATE INDEX theirs ON public.ledger USING btree (id)"
    assert (refused.state, refused.error_code, refused.applied) == ("failed", "drifted", 0)
    assert line in refused.error
    assert "coupons" not in protected.tables()
    seen = drift(protected)
    assert (seen.stand, seen.difference.lines()) == (Stand.DRIFTED, [line])
    assert seen.first_seen_at is not None

    accept_drift(protected.staging, seen=seen.seen.pk, reason="Incident 7", actor=actor("lee"))
    accepted = protected.execute(protected.start(protected.plan()))

    assert (accepted.state, preflight(accepted).evidence["drift"]["stand"]) == ("succeeded", "in sync")
    assert drift(protected).expected.kind == Expected.RUN

    with protected.connect() as somebody:
        somebody.execute("CREATE TABLE again (id int)")
    way_back = protected.plan_rollback(accepted.run)
    protected.approve(way_back, "lee")
    back = protected.execute(protected.start(way_back))

    assert (back.state, preflight(back).evidence["drift"]["stand"]) == ("succeeded", "drifted")
    assert "Warning: the schema is not as expected" in preflight(back).summary
    assert protected.tables() == {"ledger", "again"}
    assert not HistoryAlarm.objects.exists()  # whatever runs of ours did to the history, nobody else did


def test_a_run_that_ends_in_the_middle_leaves_no_drift_of_its_own(protected):
    protected.write("002_fails", "SELECT 1 / 0")
    failed = protected.deploy()
    assert (failed.state, failed.applied) == ("failed", 1)

    observe_database(Database.objects.get(pk=protected.staging.pk), actor=COMMAND_LINE)

    seen = drift(protected)
    assert (seen.stand, seen.expected.job) == (Stand.IN_SYNC, failed)
    (around,) = schemas_around(failed.run)
    assert (around.is_late, [one.object for one in around.difference.changes]) == (True, ["table public.ledger"])


def test_where_nothing_is_protected_a_drift_is_only_told(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.deploy()
    with rewards.connect() as somebody:
        somebody.execute("CREATE TABLE theirs (id int)")
    rewards.write("002_coupons", "CREATE TABLE coupons (id int)", "DROP TABLE coupons")

    job = rewards.deploy()

    assert (job.state, preflight(job).evidence["drift"]["stand"]) == ("succeeded", "drifted")
