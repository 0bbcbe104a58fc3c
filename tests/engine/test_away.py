"""A target that is away while it is looked at: it is waited for, for some minutes, and a person can stop that."""

import threading
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from psycopg import sql

from deployments.pipelines import asking
from deployments.pipelines.executor import context
from deployments.pipelines.steps.migrate import Migrate
from deployments.postgres.connect import ANSWERED, LINK_ERRORS
from deployments.postgres.errors import TargetLocked, TargetUnreachable
from deployments.postgres.stopped import CancelledOnRequest
from deployments.services.transition import claim_job
from tests.engine.conftest import actor
from tests.engine.processes import eventually
from tests.engine.stages import Stage, stored
from tests.postgres.places import Stopper


@pytest.fixture
def stage(rewards) -> Stage:
    """A context over a ledger of two rows, with a plan whose verify script compares them."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int PRIMARY KEY)")
        opened.execute("INSERT INTO ledger VALUES (1), (2)")
    asks = stored("-- expect: unchanged\nSELECT id FROM ledger")
    script = stored("ALTER TABLE ledger ADD note text")
    migrations = [{"name": "001", "forward": script, "rollback": script, "verify": asks}]
    return Stage(rewards, {"kind": "deploy", "migrations": migrations, "touches": ["ledger"], "smoke": None})


def verdicts(evidence) -> list[tuple[str, int, str]]:
    return [(one["migration"], one["number"], one["verdict"]) for one in evidence["checks"]]


def test_a_server_that_takes_nobody_for_a_while_is_waited_for(stage, superuser, database):
    """Longer than five tries: the step goes on where the server comes back, and says meanwhile what it waits for."""
    stage.before()
    stage.told.clear()
    door = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    name = sql.Identifier(f"{database}_staging")
    superuser.execute(door.format(name, sql.SQL("false")))

    def open_again() -> None:
        eventually(lambda: len(stage.told) > 2 * asking.BROKEN_LINKS)
        superuser.execute(door.format(name, sql.SQL("true")))

    opening = threading.Thread(target=open_again)
    opening.start()
    try:
        result = stage.after()
    finally:
        opening.join()

    assert verdicts(result.evidence) == [("001", 1, "passed")]
    assert "away_seconds" in stage.told[0]
    assert [line.partition(" broke")[0] for line in stage.lines] == ["The link to rewards/staging/staging"]


def test_a_link_that_breaks_is_opened_again_and_everything_asked_anew(stage, monkeypatch):
    lost = iter(LINK_ERRORS)
    answer = asking.answer

    def sometimes(*arguments, **options):
        for error in lost:
            raise error("the server went away")
        return answer(*arguments, **options)

    monkeypatch.setattr(asking, "answer", sometimes)

    assert verdicts(stage.before().evidence) == [("001", 1, "noted")]
    assert stage.lines == [
        f"The link to rewards/staging/staging broke ({error.__name__}). Looking again, for at most 300 s while it is "
        "away."
        for error in LINK_ERRORS
    ]


def test_a_target_that_stays_away_is_waited_for_and_then_given_up(stage, monkeypatch):
    monkeypatch.setattr(asking, "reading", partial(away, stage))
    monkeypatch.setattr(asking, "PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.01)

    with pytest.raises(TargetUnreachable):
        stage.before()

    assert len(stage.lines) == 1
    assert len(stage.told) > asking.BROKEN_LINKS, "it was not asked again and again"
    assert {tuple(one) for one in stage.told} == {("away_seconds",)}


def test_a_question_that_breaks_the_link_each_time_is_not_asked_for_ever(stage, monkeypatch):
    asked = []

    def breaks(*_, **__):
        asked.append(1)
        raise LINK_ERRORS[0]("the server went away")

    monkeypatch.setattr(asking, "answer", breaks)
    monkeypatch.setattr(asking, "PAUSE_SECONDS", 0.01)

    with pytest.raises(LINK_ERRORS[0]):
        stage.before()

    assert len(asked) == asking.BROKEN_LINKS + 1


def test_a_server_that_says_that_something_took_too_long_is_not_called_away(stage, monkeypatch):

    def slow(*_, **__):
        raise ANSWERED[0]("canceling statement due to statement timeout")

    monkeypatch.setattr(asking, "answer", slow)

    with pytest.raises(TargetLocked):
        stage.before()

    assert stage.lines == []


def test_a_person_can_stop_the_waiting_for_a_target_that_is_away(stage, monkeypatch):
    monkeypatch.setattr(asking, "reading", lambda *_: stage.control.asked.set() or away(stage))

    with pytest.raises(CancelledOnRequest):
        stage.before()

    assert len(stage.lines) == 1


def away(stage, *_):
    raise TargetUnreachable(target=stage.target.name, detail="no route")


def test_a_session_that_the_server_holds_on_to_after_the_link_broke_is_not_in_the_way_of_the_next_attempt(rewards):
    """Its client is gone and it does not know: it waits in its transaction, and would hold the fence for ever."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.sync()
    job = rewards.start(rewards.plan())
    job = claim_job(job.pk, executor="here", lease=timedelta(minutes=1), actor=actor("dana"))
    ctx = context(job, Stopper())
    with (
        rewards.connect(application_name=ctx.holder.session_name) as stray,
        rewards.connect(application_name="shop") as shop,
    ):
        stray.autocommit = False
        stray.execute("SELECT fence FROM locktender.fence FOR UPDATE")
        stray.execute("CREATE TABLE half (id int)")

        Migrate().run(ctx)

        with pytest.raises(psycopg.OperationalError):
            stray.commit()
        assert shop.execute("SELECT to_regclass('ledger')::text, to_regclass('half')::text").fetchone() == (
            "ledger",
            None,
        )
