"""Locks in the way of what is not a statement: of the beginning of batches and of records. They are waited for too."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from deployments.postgres import patience
from deployments.postgres.alone import acting, running
from deployments.postgres.batches import run as batches
from deployments.postgres.script import Limits
from deployments.postgres.stopped import CancelledOnRequest, LockNotObtained, PausedOnRequest, StatementFailed
from tests.postgres.places import LIMITS, Place, script
from tests.postgres.test_batches import RAISE, visits

HASTY = Limits(LIMITS.lock_timeout, lock_retry_limit=timedelta(0))
FENCE = "SELECT FROM locktender.fence FOR UPDATE"
INDEX = "CREATE INDEX CONCURRENTLY by_name ON users (name)"
INSIDE = "DELETE FROM users; VACUUM users"
COMPARED = "CREATE INDEX CONCURRENTLY by_name ON users (name text_ops)"  # shown otherwise: the look needs the table


@pytest.fixture
def users(place) -> Place:
    """A hundred users; `visits` counts how often a row was changed."""
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY, visits int NOT NULL DEFAULT 0, name text)",
        "INSERT INTO users SELECT n, 0, 'user ' || n FROM generate_series(1, 100) n",
    )
    return place


@pytest.fixture
def holding(place, eventually) -> Callable[..., None]:
    """Return a function that holds a lock until a desk has waited for it once, or beyond the end of the test."""

    def hold(lock: str, desk=None, meanwhile=None) -> None:
        other = place.connect("psql")
        other.execute("BEGIN")
        other.execute(lock)
        if desk is not None:

            def until_waited() -> None:
                eventually(lambda: any("waited for a lock" in line for line in desk.lines))
                other.execute("COMMIT")

            meanwhile(until_waited)

    return hold


@pytest.fixture
def at(monkeypatch) -> Callable[[str, Callable[[], object]], None]:
    """Return a function that has something done when the executor first comes to a named place."""

    def arrange(name: str, act: Callable[[], object]) -> None:
        def reached(place: str) -> None:
            if place == name and not came:
                came.append(place)
                act()

        came: list[str] = []
        for module in (acting, running, batches):
            monkeypatch.setattr(module, "crash_point", reached)

    return arrange


@pytest.mark.parametrize("lock", ["LOCK TABLE users", FENCE], ids=["the table", "the fence"])
def test_the_beginning_of_batches_waits_for_a_lock_as_a_statement_does(users, holding, meanwhile, lock):
    with users.desk() as desk:
        holding(lock, desk, meanwhile)
        desk.run(script(RAISE))

    assert visits(users) == [(1, 100)]
    assert users.rows("SELECT batches FROM locktender.batch") == [(10,)]


def test_what_another_session_locks_of_the_rows_of_batches_is_waited_for(users, holding, meanwhile, at):
    with users.desk() as desk:
        at("batch-committed", desk.stop.asked.set)
        with pytest.raises(CancelledOnRequest):
            desk.run(script(RAISE))
    with users.desk() as desk:
        holding("SELECT FROM locktender.batch FOR UPDATE", desk, meanwhile)
        desk.run(script(RAISE))

    assert visits(users) == [(1, 100)]


def test_a_beginning_that_is_given_up_names_who_is_in_the_way_and_what_is_in_force(users, holding):
    holding("LOCK TABLE users")

    with users.desk(limits=HASTY) as desk, pytest.raises(LockNotObtained) as given_up:
        desk.run(script(RAISE))

    told = str(given_up.value)
    assert "another run goes on after the last batch" in told
    assert "psql" in told
    assert users.rows("SELECT count(*) FROM locktender.batch") == [(0,)]


@pytest.mark.parametrize("point", ["statement-acted", "statement-done"])
def test_a_record_waits_for_a_lock_and_the_statement_is_not_sent_again(users, holding, meanwhile, at, point):
    users.do("CREATE TABLE sent (n int)")
    with users.desk() as desk:
        at(point, lambda: holding(FENCE, desk, meanwhile))
        desk.run(script(f"INSERT INTO sent VALUES (1); {INDEX}; VACUUM users"))

    assert users.rows("SELECT count(*) FROM sent") == [(1,)]
    assert users.rows("SELECT DISTINCT state FROM locktender.statement") == [("done",)]
    assert users.history() == [("001_ledger", "forward")]


def test_a_history_row_that_is_given_up_says_that_everything_else_is_in_force(users, holding, at):
    at("statement-done", lambda: holding(FENCE))

    with users.desk(limits=HASTY) as desk, pytest.raises(LockNotObtained) as given_up:
        desk.run(script(INDEX))

    assert "Every statement of it is done and in force. Only its history row is missing" in str(given_up.value)
    assert (users.indexes()["by_name"], users.history()) == (True, [])


def test_a_person_can_end_the_waiting_for_a_record(users, holding, meanwhile, at, eventually):
    with users.desk() as desk:
        at("statement-acted", lambda: holding(FENCE))
        running_it = meanwhile(desk.run, script(INDEX))
        eventually(lambda: any("The record of statement 1" in line for line in desk.lines))
        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            running_it.result(30)


@pytest.mark.parametrize("lock", ["LOCK TABLE users", FENCE], ids=["the look", "the record"])
def test_what_is_given_up_after_the_statement_was_done_says_that_it_is_in_force(users, holding, at, lock):
    at("statement-acted", lambda: holding(lock))

    with users.desk(limits=HASTY) as desk, pytest.raises(LockNotObtained) as given_up:
        desk.run(script(COMPARED))

    told = str(given_up.value)
    assert "The server has done statement 1 of 001_ledger: it is in force, and only its record is missing" in told
    assert "unfinished index" not in told
    assert users.indexes()["by_name"] is True


def test_the_time_that_the_statement_took_does_not_count_for_the_look_after_it(
    users, holding, meanwhile, at, monkeypatch
):
    took = [0.0]
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + took[0]))
    with users.desk() as desk:

        def acted() -> None:
            took[0] = 2 * LIMITS.lock_retry_limit.total_seconds()
            holding("LOCK TABLE users", desk, meanwhile)

        at("statement-acted", acted)
        desk.run(script(COMPARED))

    assert users.history() == [("001_ledger", "forward")]


@pytest.mark.parametrize(
    ("text", "lock"),
    [(RAISE, "LOCK TABLE users"), (RAISE, FENCE), (INSIDE, "LOCK TABLE users"), (INSIDE, FENCE)],
    ids=["the beginning of batches", "the intent of batches", "a transaction of its own", "what earlier jobs did"],
)
def test_where_nothing_is_under_way_a_wish_to_pause_ends_the_waiting(
    users, holding, meanwhile, eventually, *, text, lock
):
    holding(lock)
    with users.desk() as desk:
        running_it = meanwhile(desk.run, script(text))
        eventually(lambda: any("waited for a lock" in line for line in desk.lines))
        desk.stop.pause = True

        with pytest.raises(PausedOnRequest):
            running_it.result(30)
    assert users.rows("SELECT 1 FROM locktender.statement WHERE state = 'done'") == []
    assert users.rows("SELECT 1 FROM locktender.batch") == []


def test_no_wish_to_pause_leaves_what_was_done_without_its_record(users, holding, meanwhile, at):
    with users.desk() as desk:

        def acted() -> None:
            desk.stop.pause = True
            holding(FENCE, desk, meanwhile)

        at("statement-acted", acted)
        desk.run(script(INDEX))

    assert users.rows("SELECT state FROM locktender.statement") == [("done",)]


def test_the_servers_refusal_is_told_although_the_intent_cannot_be_taken_back(users, holding):
    with users.desk(limits=HASTY) as desk:
        desk.worker = replace(desk.worker, tell_session=lambda _: holding(FENCE))
        with pytest.raises(StatementFailed):
            desk.run(script("CREATE DATABASE beside TEMPLATE nowhere"))

    assert any("its intent stays" in line for line in desk.lines)
    assert users.rows("SELECT state FROM locktender.statement") == [("intent",)]


def test_everything_that_is_committed_counts_as_coming_on(users):
    came: list[None] = []

    with users.desk(came_on=lambda: came.append(None)) as desk:
        desk.run(script(f"{RAISE};\nVACUUM users"))

    assert len(came) == 10 + 2  # the batches, and the two statements
