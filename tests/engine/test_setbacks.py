"""What a migration goes on after: how often a link may break, and how long a lock may be in its way."""

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.errors import QueryCanceled

from deployments.pipelines.executor import context
from deployments.pipelines.steps import migrate, setbacks
from deployments.pipelines.steps.migrate import Migrate
from deployments.pipelines.steps.setbacks import BROKEN_LINKS, Setbacks
from deployments.postgres.errors import TargetLocked
from deployments.postgres.stopped import GuardLost, PausedOnRequest
from deployments.services.transition import claim_job
from tests.engine.conftest import actor
from tests.postgres.places import LIMITS, Stopper


@pytest.fixture
def ctx() -> SimpleNamespace:
    """What the setbacks use of a step's context."""
    target = SimpleNamespace(name="shop/staging/main")
    lines: list[str] = []
    return SimpleNamespace(control=Stopper(), limits=LIMITS, target=target, lines=lines, log=lines.append)


def test_a_link_may_break_so_often_and_anew_after_something_was_committed(ctx):
    seen, cut = Setbacks(ctx, Migrate()), ConnectionError("cut")

    for _ in range(2):
        for _ in range(BROKEN_LINKS):
            seen.link_broke(cut)
        seen.came_on()
    for _ in range(BROKEN_LINKS):
        seen.link_broke(cut)
    with pytest.raises(ConnectionError):
        seen.link_broke(cut)

    assert len(ctx.lines) == 3 * BROKEN_LINKS


def test_the_limit_of_the_step_counts_from_the_last_commit(ctx):
    Setbacks(ctx, Migrate(timeout=timedelta(hours=3))).came_on()

    assert ctx.control.limits == [timedelta(hours=3)]


def test_a_lock_is_waited_for_as_long_as_by_a_statement_and_then_told_with_what_is_in_force(ctx, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(setbacks.time, "monotonic", lambda: now[0])
    seen, refused = Setbacks(ctx, Migrate()), ConnectionError("lock timeout")
    patience = LIMITS.lock_retry_limit.total_seconds()

    seen.locked_out(refused)
    now[0] += patience
    seen.locked_out(refused)
    seen.came_on()
    now[0] += patience
    seen.locked_out(refused)
    now[0] += patience + 1
    with pytest.raises(TargetLocked) as given_up:
        seen.locked_out(refused)

    told = str(given_up.value)
    assert "What this run had committed before stays in force and is counted" in told
    assert "may be in force although it is not counted" in told
    assert "nothing more was changed" not in told.lower()


def test_a_wish_to_pause_is_obeyed_while_a_lock_is_waited_for_and_not_before_a_broken_link_was_looked_at(ctx):
    seen = Setbacks(ctx, Migrate())
    ctx.control.pause = True

    seen.link_broke(ConnectionError("cut"))
    with pytest.raises(PausedOnRequest):
        seen.locked_out(ConnectionError("lock timeout"))


def test_an_attempt_after_a_lost_guard_knows_which_session_was_the_guards(rewards, monkeypatch):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.sync()
    job = rewards.start(rewards.plan())
    ctx = context(claim_job(job.pk, executor="here", lease=timedelta(minutes=1), actor=actor("dana")), Stopper())
    guards, told = [], []

    def obey(_script, worker, *_decided, **_claim) -> None:
        guards.append(worker.guard.backend)
        if len(guards) == 1:
            raise GuardLost(target="shop")

    monkeypatch.setattr(migrate, "obey", obey)
    monkeypatch.setattr(migrate, "end_strays", lambda *_asked, watchers: told.append(watchers))

    Migrate().run(ctx)

    assert told == [set(), {guards[0]}]
    assert rewards.tables() == {"ledger"}


@pytest.mark.parametrize(
    ("refused", "stopped"),
    [(psycopg.errors.LockNotAvailable, None), (psycopg.errors.DeadlockDetected, None), (QueryCanceled, TargetLocked)],
)
def test_what_is_read_before_a_file_is_asked_for_again_only_where_a_lock_was_in_the_way(
    rewards, monkeypatch, refused, stopped
):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.sync()
    job = rewards.start(rewards.plan())
    ctx = context(claim_job(job.pk, executor="here", lease=timedelta(minutes=1), actor=actor("dana")), Stopper())
    answers = [refused("canceling statement")]

    def look(*_asked: object) -> None:
        if answers:
            raise answers.pop()

    monkeypatch.setattr(migrate, "require_as_planned", look)

    with pytest.raises(stopped) if stopped else nullcontext():
        Migrate().run(ctx)

    assert not answers
    assert rewards.tables() == (set() if stopped else {"ledger"})
    assert len(ctx.control.limits) == (0 if stopped else 1)
