"""The guard's own session: nothing runs without it, nothing blinds it, and it asks no more than it must."""

import uuid

import psycopg
import pytest

from deployments.postgres.guard import watch
from deployments.postgres.guard.readings import somebody_waits
from deployments.postgres.stopped import CancelledOnRequest, GuardLost
from tests.postgres.places import Place, script

HOLDS = "ALTER TABLE ledger ADD points int; SELECT pg_sleep(60)"  # ACCESS EXCLUSIVE, and then nothing happens


@pytest.fixture
def ledger(place) -> Place:
    place.do("CREATE TABLE ledger (id int)", "INSERT INTO ledger VALUES (1)")
    return place


def columns(place) -> list[str]:
    return [
        name
        for (name,) in place.rows("SELECT attname FROM pg_attribute WHERE attrelid = 'ledger'::regclass AND attnum > 0")
    ]


def holds_the_table(place) -> bool:
    return bool(place.sessions("query LIKE '%pg_sleep%' AND state = 'active'"))


def test_without_its_guard_a_migration_does_not_go_on(ledger, meanwhile, eventually):
    running = meanwhile(ledger.run, HOLDS)
    eventually(lambda: holds_the_table(ledger))
    [guard] = set(ledger.sessions()) - set(ledger.sessions("query LIKE '%pg_sleep%'"))

    ledger.rows("SELECT pg_terminate_backend(%s)", guard)

    with pytest.raises(GuardLost):
        running.result(30)
    eventually(lambda: not ledger.sessions())
    assert (columns(ledger), ledger.history()) == (["id"], [])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_guard_that_ends_for_a_reason_nobody_foresaw_stops_the_migration_too(
    ledger, meanwhile, eventually, monkeypatch
):
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ledger))

        monkeypatch.setattr("deployments.postgres.guard.watch.somebody_waits", lambda _: 1 / 0)

        with pytest.raises(GuardLost):
            running.result(30)
    assert (columns(ledger), ledger.history()) == (["id"], [])


def test_what_is_asked_in_a_database_of_another_encoding_does_not_blind_the_guard(
    ledger, superuser, meanwhile, eventually
):
    name = f"latin_{uuid.uuid4().hex}"
    superuser.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'")
    elsewhere = {"dbname": name, "autocommit": True}
    try:
        with (
            psycopg.connect(ledger.superuser_url, **elsewhere) as first,
            psycopg.connect(ledger.superuser_url, **elsewhere) as second,
            ledger.desk() as desk,
        ):
            first.execute("CREATE TABLE größen (id int); INSERT INTO größen VALUES (1)")
            first.execute("BEGIN; DELETE FROM größen")
            waiter = meanwhile(second.execute, "DELETE FROM größen")  # for a transaction: that is of no database
            running = meanwhile(desk.run, script(HOLDS))
            waits = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            eventually(lambda: ledger.rows(waits, name) and holds_the_table(ledger))
            looks = desk.guard._looks  # noqa: SLF001
            eventually(lambda: desk.guard._looks > looks + 2)  # noqa: SLF001

            assert not running.done()
            assert desk.guard.bill.most_waiting == 0
            first.execute("ROLLBACK")
            waiter.result(30)
            desk.stop.asked.set()
            with pytest.raises(CancelledOnRequest):
                running.result(30)
    finally:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_dear_question_is_asked_only_while_somebody_waits(ledger, meanwhile, eventually, monkeypatch):
    asked: list[None] = []
    look = watch.look
    monkeypatch.setattr(watch, "look", lambda *one, **two: asked.append(None) or look(*one, **two))
    monkeypatch.setattr(watch, "somebody_waits", lambda _: False)
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: desk.guard._looks > 2)  # noqa: SLF001
        assert asked == []

        monkeypatch.setattr(watch, "somebody_waits", somebody_waits)
        waiter = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger")
        eventually(lambda: desk.guard.bill.waiting)
        desk.stop.asked.set()
        with pytest.raises(CancelledOnRequest):
            running.result(30)
    assert waiter.result(30).fetchall() == [(1,)]


@pytest.mark.parametrize("text", ["CREATE TABLE later (id int)", "CREATE INDEX CONCURRENTLY by_id ON ledger (id)"])
def test_after_the_guard_was_lost_nothing_begins(ledger, eventually, text):
    with ledger.desk() as desk:
        ledger.rows("SELECT pg_terminate_backend(%s)", *ledger.sessions())
        eventually(lambda: not desk.guard._thread.is_alive())  # noqa: SLF001 # it has noticed

        with pytest.raises(GuardLost):
            desk.run(script(text))

    assert (ledger.tables(), ledger.indexes(), ledger.history()) == ({"ledger"}, {}, [])


def test_a_guard_that_breaks_between_two_statements_stops_the_next_one(ledger, eventually, monkeypatch):
    cancels: list[None] = []
    cancel = psycopg.Connection.cancel_safe
    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda *one, **two: cancels.append(cancel(*one, **two)))

    def guard_is_broken():
        for pid in ledger.sessions("state <> 'idle in transaction'"):  # it may be looking just now
            ledger.rows("SELECT pg_terminate_backend(%s)", pid)
        return cancels  # they hit nothing: no statement was running

    def tell(sent):
        if sent.number == 2:
            eventually(guard_is_broken)

    with pytest.raises(GuardLost):
        ledger.run("CREATE TABLE later (id int); SELECT pg_sleep(60)", tell=tell)

    assert (ledger.tables(), ledger.history()) == ({"ledger"}, [])
