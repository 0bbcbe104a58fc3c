"""A guard that hangs, whose session answers no more and does not break, is a lost guard."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deployments.postgres.guard import Budget
from deployments.postgres.guard.watchdog import Watchdog
from deployments.postgres.stopped import GuardLost
from tests.postgres.places import Desk, Place, script
from tests.postgres.proxy import DOWN, Proxy
from tests.postgres.test_guard_session import HOLDS, columns, holds_the_table

IMPATIENT = Budget(oldest_seconds=0.2, total_seconds=60)


class Hanging:
    """A desk whose guard alone goes through a proxy, which can stop to pass on what the server answers."""

    def __init__(self, desk: Desk, proxy: Proxy) -> None:
        self.desk = desk
        self._proxy = proxy

    def hang(self) -> None:
        """As with SIGSTOP on its server process: everything arrives, nothing is answered, nothing breaks."""
        self._proxy.rule = lambda _link, direction, data: b"" if direction is DOWN else data


@pytest.fixture
def ledger(place: Place) -> Place:
    place.do("CREATE TABLE ledger (id int)", "INSERT INTO ledger VALUES (1)")
    return place


@pytest.fixture
def hanging(ledger: Place, monkeypatch) -> Iterator[Hanging]:
    monkeypatch.setattr("deployments.postgres.guard.watchdog.SILENCE_SECONDS", 1.0)
    with Proxy(ledger.url) as proxy:
        guards = replace(ledger, target=ledger.at(proxy.url, monkeypatch))
        with guards.desk(target=ledger.target, budget=IMPATIENT) as desk:
            yield Hanging(desk, proxy)


def test_a_migration_whose_guard_hangs_is_cancelled_and_the_application_goes_on(ledger, hanging, meanwhile, eventually):
    running = meanwhile(hanging.desk.run, script(HOLDS))
    eventually(lambda: holds_the_table(ledger))

    hanging.hang()
    waiter = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger")

    assert waiter.result(30).fetchall() == [(1,)]
    with pytest.raises(GuardLost):
        running.result(30)
    assert (columns(ledger), ledger.history()) == (["id"], [])


@pytest.mark.parametrize("text", ["CREATE TABLE later (id int)", "CREATE INDEX CONCURRENTLY by_id ON ledger (id)"])
def test_under_a_guard_that_hangs_nothing_begins(ledger, hanging, text):
    hanging.hang()

    with pytest.raises(GuardLost):
        while True:  # until it is noticed, what is done may be done
            hanging.desk.guard.require_clear()

    with pytest.raises(GuardLost):
        hanging.desk.run(script(text))
    assert (ledger.tables(), ledger.indexes(), ledger.history()) == ({"ledger"}, {}, [])


def test_the_application_goes_on_although_the_hung_guard_itself_cannot_be_freed(
    ledger, hanging, meanwhile, eventually, monkeypatch
):
    free = Watchdog.hang_up
    monkeypatch.setattr(Watchdog, "hang_up", lambda _: None)
    running = meanwhile(hanging.desk.run, script(HOLDS))
    eventually(lambda: holds_the_table(ledger))

    hanging.hang()
    waiter = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger")

    assert waiter.result(30).fetchall() == [(1,)]
    free(hanging.desk.guard._watchdog)  # noqa: SLF001
    with pytest.raises(GuardLost):
        running.result(30)


def test_a_guard_that_only_waits_for_its_next_look_is_not_taken_for_one_that_hangs(ledger, hanging, eventually):
    silent = hanging.desk.guard._watchdog  # noqa: SLF001
    before = silent._looks  # noqa: SLF001
    eventually(lambda: silent._looks > before + 20)  # noqa: SLF001

    hanging.desk.run(script("ALTER TABLE ledger ADD points int"))

    hanging.desk.guard.require_clear()
    assert ledger.history() == [("001_ledger", "forward")]


def test_leaving_a_guard_that_hangs_waits_for_nothing_and_leaves_no_session_behind(ledger, monkeypatch):
    monkeypatch.setattr("deployments.postgres.guard.watch.SILENCE_SECONDS", 0.5)
    asked = threading.Event()

    def swallow(_link, direction, data):
        if direction is DOWN:
            return b""
        asked.set()
        return data

    with Proxy(ledger.url) as proxy:
        guards = replace(ledger, target=ledger.at(proxy.url, monkeypatch))
        with guards.desk(target=ledger.target) as desk:
            proxy.rule = swallow
            assert asked.wait(30)  # a look is on its way, and is never answered

        assert not desk.guard._thread.is_alive()  # noqa: SLF001
        assert desk.guard._session.closed  # noqa: SLF001
