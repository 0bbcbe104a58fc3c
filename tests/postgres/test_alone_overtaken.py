"""Whoever was overtaken, or told to stop, right after its intent: it takes away and finishes nothing any more."""

from contextlib import suppress

import pytest

from checks.outside import Remains
from deployments.postgres.alone import running
from deployments.postgres.alone.clearing import try_to_clear
from deployments.postgres.alone.rooms import Room
from deployments.postgres.autovacuum import make_way
from deployments.postgres.connect import Holder
from deployments.postgres.errors import FenceLost
from deployments.postgres.guard import InTheWay
from deployments.postgres.stopped import CancelledOnRequest, InDoubt, StatementFailed
from tests.postgres.interrupted import DETACH, PARTITIONED, oid_of, partitions
from tests.postgres.places import Place, script
from tests.postgres.test_alone import BY_NAME, UNIQUE

OVERTAKE = "UPDATE locktender.fence SET fence = 7 RETURNING 1"


@pytest.fixture
def leftover(place) -> Place:
    """A place with an INVALID index by_name, as a cancelled build leaves it."""
    place.do("CREATE TABLE users (id int, name text)", "INSERT INTO users VALUES (1, 'Lee'), (2, 'Lee')")
    with place.connect() as opened, pytest.raises(Exception, match="could not create unique index"):
        opened.execute(UNIQUE)
    place.do("DELETE FROM users WHERE id = 2")
    return place


@pytest.fixture
def after_intent(monkeypatch):
    """Return a function that has something happen once, right after the intent was written."""

    def arm(happens):
        def reached(point):
            if point == "statement-intended":
                happens()

        monkeypatch.setattr(running, "crash_point", reached)

    return arm


def test_one_that_was_overtaken_after_its_intent_drops_no_index(leftover, after_intent):
    after_intent(lambda: leftover.rows(OVERTAKE))
    before = oid_of(leftover, "by_name")

    with pytest.raises(FenceLost):
        leftover.run(BY_NAME, fence=6)

    assert (leftover.indexes(), oid_of(leftover, "by_name")) == ({"by_name": False}, before)


def test_one_that_was_overtaken_after_its_intent_finishes_no_detaching(place, after_intent, meanwhile, eventually):
    place.do(*PARTITIONED)
    reader = place.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events")
    detaching = place.connect("by hand")
    cut = meanwhile(detaching.execute, DETACH)
    eventually(lambda: partitions(place).get("events_2025"))
    place.rows("SELECT pg_cancel_backend(%s)", detaching.info.backend_pid)
    assert cut.exception(30)
    reader.execute("COMMIT")
    after_intent(lambda: place.rows(OVERTAKE))

    with pytest.raises(FenceLost):
        place.run(DETACH, fence=6)

    assert partitions(place)["events_2025"] is True  # pending, as it was


def test_one_that_is_told_to_stop_after_its_intent_clears_nothing(leftover, after_intent):
    with leftover.desk() as desk:
        after_intent(desk.stop.asked.set)
        with pytest.raises(CancelledOnRequest):
            desk.run(script(BY_NAME))

    assert leftover.indexes() == {"by_name": False}


def test_another_index_that_has_the_name_by_now_is_not_dropped(leftover, after_intent):
    others: list[int] = []

    def take_its_name() -> None:
        if not others:
            leftover.do("ALTER INDEX by_name RENAME TO of_old", "CREATE INDEX by_name ON users (id)")
            others.append(oid_of(leftover, "by_name"))

    after_intent(take_its_name)
    with suppress(StatementFailed, InDoubt):
        leftover.run(BY_NAME)

    assert leftover.indexes() == {"of_old": False, "by_name": True}
    assert [oid_of(leftover, "by_name")] == others, "it was dropped and built anew"


def test_what_a_refused_statement_left_is_dropped_only_by_who_holds_the_fence(leftover):
    left = (Remains(oid_of(leftover, "by_name"), "public", "by_name"),)
    with leftover.desk(fence=6) as desk:
        one = script(BY_NAME)
        room = Room(one, one.sent[0], desk.worker)
        leftover.rows(OVERTAKE)
        with pytest.raises(FenceLost):
            try_to_clear(room, left)

    assert leftover.indexes() == {"by_name": False}


def test_one_that_was_overtaken_asks_no_autovacuum_to_yield(leftover):
    leftover.rows(OVERTAKE)
    vacuum = InTheWay(1, "", "", "active", 1.0, kind="autovacuum", relation="public.users")

    with pytest.raises(FenceLost):
        make_way(leftover.target, Holder(run=1, job=1, fence=6), vacuum)
    assert make_way(leftover.target, Holder(run=1, job=1, fence=7), vacuum)
