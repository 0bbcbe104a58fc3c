"""Before anything begins, what is in the way is named, waited for or refused; a closed window lets nothing start."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from checks.policy import Requirements
from deployments.actors import EXECUTOR
from deployments.models import Policy, Step
from deployments.pipelines.executor import context
from deployments.pipelines.steps.collisions import CollisionAhead, see_to_collisions
from deployments.pipelines.steps.migrate import Migrate
from deployments.pipelines.windows import budget_now
from deployments.planning import PlanBlocked
from deployments.postgres.stopped import CancelledOnRequest, PausedOnRequest
from deployments.selectors.runs import unmet_of
from deployments.services.decide import NotYet
from deployments.services.resolve import run_again
from deployments.services.transition import claim_job, move_job
from deployments.states import JobState
from tests.engine.conftest import actor
from tests.postgres.places import Stopper

NEVER_NOW = {"days": ["mon"], "begin": "01:00", "end": "01:01", "timezone": "UTC"}
OTHER_DAY = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(datetime.now(UTC).weekday() + 3) % 7]
FAR = NEVER_NOW | {"days": [OTHER_DAY]}


@pytest.fixture
def ledger(rewards):
    """Staging with a table, and a pending migration that changes it."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int, points int)", "DROP TABLE ledger")
    rewards.deploy()
    rewards.write("002_points", "ALTER TABLE ledger DROP COLUMN points", "ALTER TABLE ledger ADD points int")
    rewards.sync()
    return rewards


def policy(rewards, **rules) -> None:
    Policy.objects.create(environment=rewards.staging.environment, version=2, rules=rules, reason="For a test")


def changing(rewards):
    other = rewards.connect(application_name="somebody's tool")
    other.execute("BEGIN")
    other.execute("LOCK TABLE ledger IN SHARE UPDATE EXCLUSIVE MODE")
    return other


def test_what_the_policy_refuses_stops_the_run_before_anything_is_backed_up_or_changed(ledger):
    policy(ledger, collisions={"other-change": "refuse"})
    with changing(ledger):
        job = ledger.execute(ledger.start(ledger.plan()))

    assert (job.state, job.error_code, job.applied) == ("failed", "collision-ahead", 0)
    assert "somebody's tool" in job.error
    assert "changes public.ledger. Nothing was changed there." in job.error
    assert [step.name for step in job.steps.all()] == ["preflight"]


def test_what_the_policy_waits_for_is_told_while_it_lasts_and_then_the_run_goes_on(ledger):
    policy(ledger, collisions={"other-change": "wait"}, collision_wait_seconds=60)
    job = ledger.start(ledger.plan())
    other, told = changing(ledger), []
    ctx = context(job, Stopper())
    ctx.progress = lambda progress: (told.append(progress), threading.Thread(target=other.close).start())

    seen = see_to_collisions(ctx)

    assert "somebody's tool" in told[0]["collisions"][0]
    assert told[0]["of_seconds"] == 60
    assert [one for one in seen.met if one.is_in_the_way] == []


def test_what_does_not_pass_in_time_is_refused_in_the_end(ledger):
    policy(ledger, collisions={"other-change": "wait"}, collision_wait_seconds=0)
    ctx = context(ledger.start(ledger.plan()), Stopper())

    with changing(ledger), pytest.raises(CollisionAhead, match="somebody's tool"):
        see_to_collisions(ctx)


def test_a_way_back_is_warned_and_goes_on(ledger):
    policy(ledger, collisions={"other-change": "refuse"})
    back = ledger.plan_rollback(ledger.execute(ledger.start(ledger.plan())).run)
    ctx = context(ledger.start(back), Stopper())

    with changing(ledger):
        seen = see_to_collisions(ctx)

    assert "In the way: pid" in seen.in_words()[0]


def test_a_run_that_needs_a_window_cannot_be_started_while_it_is_closed(ledger):
    policy(ledger, windows=[FAR])
    run = ledger.plan()

    assert [one.rule for one in unmet_of(run)] == ["window"]
    with pytest.raises(NotYet, match="Waits for its window"):
        ledger.start(run)


def test_a_window_that_closed_after_the_start_lets_nothing_begin(ledger, monkeypatch):
    policy(ledger, windows=[FAR])
    run = ledger.plan()
    opens = Requirements.of_plan(run.plan["requirements"]).windows[0].spans(datetime.now(UTC))
    inside = next(begin for begin, end in opens if end > datetime.now(UTC))
    with monkeypatch.context() as patch:
        patch.setattr("deployments.selectors.runs.database_now", lambda: inside)
        job = ledger.execute(ledger.start(run))

    assert (job.state, job.error_code, job.applied) == ("failed", "window-closed", 0)
    assert not Step.objects.filter(job=job, name="backup").exclude(state="pending").exists()
    with ledger.connect() as opened:
        assert "points" in str(opened.execute("SELECT * FROM ledger").description)


def test_what_has_begun_goes_on_after_the_window_has_closed(ledger, monkeypatch):
    ledger.write("003_more", "ALTER TABLE ledger DROP COLUMN id")
    ledger.sync()
    policy(ledger, windows=[FAR])
    run = ledger.plan()
    inside = next(Requirements.of_plan(run.plan["requirements"]).windows[0].spans(datetime.now(UTC)))[0]
    with monkeypatch.context() as patch:
        for module in ("deployments.selectors.runs", "deployments.pipelines.windows"):
            patch.setattr(f"{module}.database_now", lambda: inside)
        ctx = context(claimed(ledger.start(run)), Stopper())
        ctx.applied = lambda count: ctx.control.asked.set() if count == 1 else None  # interrupted after the first
        with pytest.raises(CancelledOnRequest):
            Migrate().run(ctx)

    Migrate().run(context(ctx.job, Stopper()))

    assert [name for name, _ in ledger.history()] == ["001_ledger", "002_points", "003_more"]


def claimed(job):
    return claim_job(job.pk, executor="here", lease=timedelta(minutes=1), actor=actor("dana"))


def test_a_way_back_may_not_ask_for_more_time_by_itself(ledger):
    asked = "-- locktender: budget oldest=600s total=600min: nobody was asked\nALTER TABLE ledger ADD points int"
    ledger.write("002_points", "ALTER TABLE ledger DROP COLUMN points", asked)
    ledger.sync()
    done = ledger.execute(ledger.start(ledger.plan())).run

    assert done.plan["budget"]["oldest_seconds"] == 1.0
    assert ledger.plan_rollback(done).plan["budget"]["oldest_seconds"] == 5.0


def test_what_a_strict_environment_refuses_is_refused_in_the_way_back_too_while_there_is_time(ledger):
    policy(ledger, strict_scripts=True)
    ledger.write("002_points", "ALTER TABLE ledger DROP COLUMN points", "SET ROLE postgres; SELECT 1")
    ledger.sync()

    with pytest.raises(PlanBlocked, match=r"002_points \(rollback\), line 1"):
        ledger.plan()


def test_a_pause_is_obeyed_while_what_is_in_the_way_is_waited_for(ledger):
    policy(ledger, collisions={"other-change": "wait"}, collision_wait_seconds=600)
    stopper = Stopper()
    ctx = context(ledger.start(ledger.plan()), stopper)
    ctx.progress = lambda _: setattr(stopper, "pause", True) if not stopper.pause else pytest.fail("waited on")

    with changing(ledger), pytest.raises(PausedOnRequest, match="while it waited for what is in the way"):
        see_to_collisions(ctx)


def test_a_file_that_begins_after_the_window_takes_no_more_than_every_run(ledger, monkeypatch):
    asked = "-- locktender: budget oldest=30s: it is rewritten\nALTER TABLE ledger DROP COLUMN points"
    ledger.write("002_points", asked, "ALTER TABLE ledger ADD points int")
    ledger.sync()
    policy(ledger, windows=[FAR], blocking_budget={"oldest_seconds": 2})
    run = ledger.plan()
    inside = next(Requirements.of_plan(run.plan["requirements"]).windows[0].spans(datetime.now(UTC)))[0]
    with monkeypatch.context() as patch:
        for module in ("deployments.selectors.runs", "deployments.pipelines.windows"):
            patch.setattr(f"{module}.database_now", lambda: inside)
        ctx = context(claimed(ledger.start(run)), Stopper())
        assert budget_now(ctx).oldest_seconds == 30

    assert budget_now(ctx).oldest_seconds == 2

    seen = []
    monkeypatch.setattr("deployments.pipelines.steps.migrate.require_window", lambda _: None)  # as of what has begun
    monkeypatch.setattr(Migrate, "_run_one", lambda *args, **_: seen.append(args[3].budget.oldest_seconds))
    Migrate().run(ctx)
    assert seen == [2]


def test_what_is_left_of_a_run_in_doubt_waits_for_the_window_too(ledger, monkeypatch):
    policy(ledger, windows=[FAR])
    run = ledger.plan()
    inside = next(Requirements.of_plan(run.plan["requirements"]).windows[0].spans(datetime.now(UTC)))[0]
    with monkeypatch.context() as patch:
        patch.setattr("deployments.selectors.runs.database_now", lambda: inside)
        job = claimed(ledger.start(run))
        move_job(job, JobState.NEEDS_ATTENTION, actor=EXECUTOR, error="It is not known")

    with pytest.raises(NotYet, match="Waits for its window"):
        run_again(job.run, reason="Go on", actor=actor("noor"))

    job.refresh_from_db()
    assert job.state == JobState.NEEDS_ATTENTION
    with monkeypatch.context() as patch:
        patch.setattr("deployments.selectors.runs.database_now", lambda: inside)
        assert run_again(job.run, reason="Go on", actor=actor("noor")).state == JobState.QUEUED
