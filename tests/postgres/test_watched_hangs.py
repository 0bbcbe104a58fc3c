"""A server process that hangs, as with SIGSTOP, obeys nothing: it is hung up on, and what it did is asked for."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from deployments.postgres import connect, sessions
from deployments.postgres.connect import LINK_ERRORS, session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.guard import Guard, watched
from deployments.postgres.stopped import CancelledOnRequest, InDoubt
from tests.postgres.places import Place, script
from tests.postgres.proxy import DOWN, UP, Proxy
from tests.postgres.test_batches import RAISE
from tests.postgres.test_guard_session import HOLDS, columns, holds_the_table

ALONE = "CREATE INDEX CONCURRENTLY by_id ON ledger (slowly(id))"


class Halting:
    """Halts server processes of the target, and has them go on at the latest at the end."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._halted: list[int] = []

    def halt(self, condition: str) -> None:
        [pid] = self._place.sessions(condition)
        self._halted.append(pid)
        os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        while self._halted:
            os.kill(self._halted.pop(), signal.SIGCONT)


@pytest.fixture
def ledger(place: Place) -> Place:
    place.do(
        "CREATE TABLE ledger (id int)",
        "INSERT INTO ledger VALUES (1)",
        "CREATE FUNCTION slowly(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 FROM (SELECT pg_sleep(60)) one'",
    )
    return place


@pytest.fixture
def halting(ledger: Place) -> Iterator[Halting]:
    halting = Halting(ledger)
    yield halting
    halting.go_on()


@pytest.fixture(autouse=True)
def hasty(monkeypatch) -> None:
    monkeypatch.setattr(watched, "CANCEL_PATIENCE", 0.1)
    monkeypatch.setattr(watched, "HANG_UP_PATIENCE", 0.1)


@pytest.fixture
def no_patience(monkeypatch) -> None:
    """Wait a moment only for a session of ours to end."""
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", 0.2)


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("text", [HOLDS, ALONE], ids=["in a transaction", "alone"])
def test_one_that_neither_cancels_nor_ends_leaves_a_doubt_and_nobody_waiting(
    ledger, halting, meanwhile, eventually, text
):
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(text))
        eventually(lambda: ledger.sessions("wait_event = 'PgSleep'"))
        halting.halt("wait_event = 'PgSleep'")
        desk.stop.asked.set()

        with pytest.raises(InDoubt, match="its session does not end"):
            running.result(30)
        assert ledger.sessions("wait_event = 'PgSleep'"), "it was not halted"

    halting.go_on()
    eventually(lambda: not ledger.sessions())
    assert (columns(ledger), ledger.history()) == (["id"], [])


def test_one_that_goes_on_in_time_is_known_to_be_rolled_back(ledger, halting, meanwhile, eventually, monkeypatch):
    asked = []
    end_backend = sessions.end_backend
    monkeypatch.setattr(
        "deployments.postgres.transactional.end_backend",
        lambda *args, **more: (asked.append(1), halting.go_on(), end_backend(*args, **more)),
    )
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ledger))
        halting.halt("wait_event = 'PgSleep'")
        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            running.result(30)

    assert asked
    assert (columns(ledger), ledger.history()) == (["id"], [])


@pytest.mark.usefixtures("no_patience")
def test_one_that_answers_later_than_its_server_allows_is_hung_up_on_although_nobody_waits(
    ledger, halting, meanwhile, eventually
):
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ledger))
        halting.halt("wait_event = 'PgSleep'")
        assert not running.done()

        desk.guard._watched.most_seconds = -watched.OVERDUE_SECONDS  # noqa: SLF001 # as if so much time had passed

        with pytest.raises(InDoubt, match="its session does not end"):
            running.result(30)
    halting.go_on()
    assert ledger.history() == []


def test_what_is_watched_may_take_what_the_server_allows_each_of_its_statements(ledger):
    with ledger.desk() as desk, session(ledger.target) as opened:
        desk.guard.longest = timedelta(seconds=100)
        with desk.guard.watching(opened, script(HOLDS)):
            in_one = desk.guard._watched.most_seconds  # noqa: SLF001
        with desk.guard.watching(opened, script("VACUUM ledger; VACUUM ledger", "002_vacuum")):
            alone = desk.guard._watched.most_seconds  # noqa: SLF001

    assert (in_one, alone) == (300, 100)  # two statements and the end; each alone


def test_a_statement_and_the_check_of_its_constraints_may_each_take_what_the_server_allows(ledger, monkeypatch):
    ledger.do("CREATE TABLE users (id int PRIMARY KEY, visits int DEFAULT 0)", "INSERT INTO users VALUES (1)")
    allowed: list[tuple[str, float]] = []
    watching = Guard._watching  # noqa: SLF001

    def seen(guard: Guard, watched):
        allowed.append((watched.name, watched.most_seconds))
        return watching(guard, watched)

    monkeypatch.setattr(Guard, "_watching", seen)
    with ledger.desk() as desk:
        desk.guard.longest = timedelta(seconds=100)
        desk.run(script(f"{RAISE};\nVACUUM users"))
        desk.run(script("INSERT INTO users VALUES (2); VACUUM users", "002_more"))

    assert ("Batch 1 (try 1) of 001_ledger", 300) in allowed  # the page, the change, the constraints
    assert ("001_ledger", 100) in allowed  # the VACUUM
    assert [most for name, most in allowed if name == "002_more"] == [200, 100]  # with its constraints; the VACUUM


@pytest.mark.usefixtures("no_patience")
def test_a_guard_that_hangs_is_no_doubt_but_whoever_worked_is(ledger, halting, eventually, monkeypatch):
    monkeypatch.setattr("deployments.postgres.guard.watch.SILENCE_SECONDS", 0.5)
    with ledger.desk() as desk:
        watched_only, holder = desk.guard.backend, desk.worker.holder
        halting.halt(f"pid = {watched_only.pid}")
    with session(ledger.target, name=holder.session_name) as opened:
        with pytest.raises(InDoubt, match="1 of its sessions do not end"):
            sessions.end_strays(opened, ledger.target, holder)
        assert sessions.end_strays(opened, ledger.target, holder, watchers={watched_only}) == 1

    halting.go_on()
    eventually(lambda: not ledger.sessions(f"pid = {watched_only.pid}"))  # it was told to end all the same


def hang_after(text: bytes):
    """Return a rule by which a server answers nothing more on a link, from the first question with this text on."""
    hanging: list[object] = []

    def rule(link, direction, data):
        if direction is UP and text in data:
            hanging.append(link)
        return b"" if direction is DOWN and link in hanging else data

    return rule


def test_a_server_that_lets_us_in_and_then_hangs_is_not_waited_for(ledger, monkeypatch):
    monkeypatch.setattr(connect, "OPENING_SECONDS", 0.5)
    with Proxy(ledger.url, hang_after(b"pg_is_in_recovery")) as proxy:
        hanging = ledger.at(proxy.url, monkeypatch)
        with pytest.raises(TargetUnreachable, match="no answer within"):
            connect.open_session(hanging, name="locktender/test")


@pytest.mark.parametrize("question", [b"plan_cache_mode", b"max_connections"])
def test_a_server_that_hangs_while_the_guard_begins_is_not_waited_for(ledger, monkeypatch, question):
    monkeypatch.setattr("deployments.postgres.guard.watchdog.SILENCE_SECONDS", 0.5)
    with Proxy(ledger.url, hang_after(question)) as proxy:
        place = replace(ledger, target=ledger.at(proxy.url, monkeypatch))
        with pytest.raises(LINK_ERRORS), place.desk():
            pass
