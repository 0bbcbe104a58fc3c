"""Ending one session: exactly the one that was meant, told what became of it, and nobody else."""

import os
import signal
from datetime import timedelta

import psycopg
import pytest

from deployments.postgres.guard import Ending, Endings, InTheWay, Outcome
from deployments.postgres.guard import endings as box
from tests.postgres.places import LIMITS, PATIENT, Place, script

ME = "SELECT backend_start, xact_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"


@pytest.fixture
def reader(place: Place) -> psycopg.Connection:
    """A session that stands in the way with a transaction that has read."""
    place.do("CREATE TABLE ledger (id int)")
    opened = place.connect("report")
    opened.execute("BEGIN")
    opened.execute("SELECT id FROM ledger")
    return opened


@pytest.fixture
def guards(place: Place) -> psycopg.Connection:
    """The session from which others are ended."""
    return place.connect("locktender/job=1/fence=1")


def seen(session: psycopg.Connection, kind: str = "session") -> InTheWay:
    """Return a session as a guard has seen it in the way."""
    started, began = session.execute(ME).fetchone()
    return InTheWay(
        session.info.backend_pid, "migrator", "report", "idle in transaction", 5.0, kind=kind,
        backend_start=started, xact_start=began,
    )  # fmt: skip


def meant(shown: InTheWay, key: int = 1) -> Ending:
    return Ending(key, shown.pid, shown.backend_start, shown.xact_start)


def attended(guards: psycopg.Connection, wish: Ending, *in_the_way: InTheWay) -> list[Outcome]:
    endings = Endings()
    endings.ask(wish)
    endings.attend(guards, in_the_way)
    return [outcome for _, outcome in endings.outcomes()]


def lives(session: psycopg.Connection) -> bool:
    return session.execute("SELECT 1").fetchone() == (1,)


def test_the_one_that_was_meant_is_ended_once_and_the_one_beside_it_is_not(place, reader, guards, eventually):
    bystander = place.connect("report")
    bystander.execute("BEGIN")
    shown, other = seen(reader), seen(bystander)
    endings, outcomes = Endings(), []
    for _ in range(2):  # as it is carried again while nobody has answered
        endings.ask(meant(shown))

    def answered() -> bool:
        endings.attend(guards, [shown, other])
        outcomes.extend(endings.outcomes())
        return bool(outcomes)

    eventually(answered)
    endings.ask(meant(shown))  # and once more afterwards

    assert outcomes == [(meant(shown), Outcome.ENDED)]
    assert endings.unanswered() == []
    with pytest.raises(psycopg.OperationalError):
        reader.execute("SELECT 1")
    assert lives(bystander)


class Breaking:
    """A guard's link that breaks at the order to end: before it arrived, or before its answer came."""

    def __init__(self, guards: psycopg.Connection, *, arrives: bool) -> None:
        self._guards, self._arrives = guards, arrives

    def execute(self, query: str, values: list[object]) -> psycopg.Cursor:
        if query != box.END or self._arrives:
            told = self._guards.execute(query, values)
        if query == box.END:
            raise psycopg.OperationalError("the link broke")
        return told


@pytest.mark.parametrize("arrives", [True, False], ids=["the order arrived", "it did not"])
def test_one_that_was_told_to_end_while_the_link_broke_is_never_told_as_gone_by_itself(
    place, reader, guards, eventually, arrives
):
    shown, endings = seen(reader), Endings()
    endings.ask(meant(shown))
    with pytest.raises(psycopg.OperationalError):
        endings.attend(Breaking(guards, arrives=arrives), [shown])
    if arrives:
        eventually(lambda: not place.rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", shown.pid))

    eventually(lambda: endings.attend(guards, [shown]) or endings.outcomes())

    assert endings.outcomes() == [(meant(shown), Outcome.ENDED)]


def test_one_that_moved_on_after_an_order_that_never_arrived_is_not_ended(reader, guards):
    shown, endings = seen(reader), Endings()
    endings.ask(meant(shown))
    with pytest.raises(psycopg.OperationalError):
        endings.attend(Breaking(guards, arrives=False), [shown])
    reader.execute("COMMIT")
    reader.execute("BEGIN")

    endings.attend(guards, [seen(reader)])

    assert endings.outcomes() == [(meant(shown), Outcome.MOVED_ON)]
    assert lives(reader)


def test_one_that_left_by_itself_is_told_as_gone(place, reader, guards, eventually):
    shown = seen(reader)
    reader.close()
    eventually(lambda: not place.rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", shown.pid))

    assert attended(guards, meant(shown), shown) == [Outcome.GONE]


def test_another_session_that_has_the_number_of_the_process_by_now_is_not_ended(reader, guards):
    shown = seen(reader)
    earlier = Ending(1, shown.pid, shown.backend_start - timedelta(hours=1), shown.xact_start)

    assert attended(guards, earlier, shown) == [Outcome.GONE]
    assert lives(reader)


def test_a_session_whose_transaction_is_another_one_by_now_is_not_ended(reader, guards):
    shown = seen(reader)
    reader.execute("COMMIT")
    reader.execute("BEGIN")  # a pooler has given it to another client
    reader.execute("SELECT id FROM ledger")

    assert attended(guards, meant(shown), seen(reader)) == [Outcome.MOVED_ON]
    assert lives(reader)


def test_a_session_of_our_own_is_not_ended(place, guards):
    own = place.connect("locktender/job=2/fence=1")
    own.execute("BEGIN")

    assert attended(guards, meant(seen(own)), seen(own)) == [Outcome.OURS]
    assert lives(own)


def test_a_session_that_is_not_in_the_way_is_not_ended(place, reader, guards):
    bystander = place.connect("report")
    bystander.execute("BEGIN")

    assert attended(guards, meant(seen(bystander)), seen(reader)) == [Outcome.NOT_IN_THE_WAY]
    assert lives(bystander)


def test_what_works_against_wraparound_is_not_ended(reader, guards):
    shown = seen(reader, kind="anti-wraparound")

    assert attended(guards, meant(shown), shown) == [Outcome.ANTI_WRAPAROUND]
    assert lives(reader)


def test_one_that_was_told_to_end_and_has_not_is_told_to_stay(reader, guards, monkeypatch):
    shown, endings = seen(reader), Endings()
    endings.ask(meant(shown))
    os.kill(shown.pid, signal.SIGSTOP)  # it hears nothing
    try:
        endings.attend(guards, [shown])
        assert (endings.outcomes(), endings.unanswered()) == ([], [meant(shown)])
        monkeypatch.setattr(box, "PATIENCE_SECONDS", 0.0)
        endings.attend(guards, [shown])

        assert endings.outcomes() == [(meant(shown), Outcome.STAYS)]
        assert endings.unanswered() == []
    finally:
        os.kill(shown.pid, signal.SIGCONT)


def test_a_guard_ends_the_one_in_the_way_and_the_same_try_goes_on(place, reader, meanwhile, eventually):
    limits = type(LIMITS)(lock_timeout=timedelta(minutes=1), lock_retry_limit=LIMITS.lock_retry_limit)
    with place.desk(limits=limits, budget=PATIENT) as desk:
        running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int"))
        eventually(lambda: desk.guard.bill.blockers)
        (shown,) = desk.guard.bill.blockers

        desk.guard.endings.ask(meant(shown))
        running.result(30)
        eventually(lambda: not desk.guard.endings.unanswered())

    assert desk.guard.endings.outcomes() == [(meant(shown), Outcome.ENDED)]
    assert shown.application == "report"
    assert desk.guard.bill.tries == 1
    assert place.history() == [("001_ledger", "forward")]


def test_one_that_is_no_longer_in_the_way_of_the_same_try_is_not_ended(place, reader, meanwhile, eventually):
    limits = type(LIMITS)(lock_timeout=timedelta(minutes=1), lock_retry_limit=LIMITS.lock_retry_limit)
    with place.desk(limits=limits, budget=PATIENT) as desk:
        running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int; SELECT pg_sleep(60)"))
        eventually(lambda: desk.guard.bill.in_our_way)
        (shown,) = desk.guard.bill.in_our_way
        reader.execute("COMMIT")
        eventually(lambda: place.sessions("query LIKE '%pg_sleep%'") and not desk.guard.bill.in_our_way)

        desk.guard.endings.ask(Ending(1, shown.pid, shown.backend_start))
        eventually(lambda: not desk.guard.endings.unanswered())
        desk.stop.asked.set()
        assert running.exception(30)

    assert [outcome for _, outcome in desk.guard.endings.outcomes()] == [Outcome.NOT_IN_THE_WAY]
    assert lives(reader)
