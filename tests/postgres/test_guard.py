"""The guard: the application does not wait longer for us than the plan allows, and nothing runs without a guard."""

from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from deployments.postgres.guard import Budget
from deployments.postgres.stopped import CancelledOnRequest, LayoutLockHeld, LockNotObtained, OverBudget
from tests.postgres.places import LIMITS, PATIENT, Place, script

IMPATIENT = Budget(oldest_seconds=0.2, total_seconds=60)
PATIENT_LOCK = timedelta(minutes=1)
HERE = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
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


def test_a_migration_that_keeps_the_application_waiting_is_undone_and_shows_the_bill(ledger, meanwhile, eventually):
    running = meanwhile(ledger.run, HOLDS, budget=IMPATIENT)
    eventually(lambda: holds_the_table(ledger))

    waiter = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger")

    with pytest.raises(OverBudget) as stopped:
        running.result(30)
    told = str(stopped.value)
    assert told.startswith(
        "It changed nothing. 001_ledger was cancelled, because it held up the application: 1 session × 0."  # noqa: RUF001
    )
    assert "s in all, for public.ledger (a session waited 0." in told
    assert waiter.result(30).fetchall() == [(1,)]
    assert (columns(ledger), ledger.history()) == (["id"], [])


@pytest.mark.parametrize(
    "budget",
    [
        Budget(oldest_seconds=60, total_seconds=600, sessions=2),
        Budget(oldest_seconds=60, total_seconds=0.5, sessions=20),
    ],
    ids=["too many sessions", "too much together"],
)
def test_many_who_wait_a_little_are_over_budget_too(ledger, meanwhile, eventually, budget):
    running = meanwhile(ledger.run, HOLDS, budget=budget)
    eventually(lambda: holds_the_table(ledger))

    waiters = [meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger") for _ in range(3)]

    with pytest.raises(OverBudget, match="3 sessions ×"):  # noqa: RUF001
        running.result(30)
    assert [waiter.result(30).fetchall() for waiter in waiters] == [[(1,)]] * 3
    assert columns(ledger) == ["id"]


def test_sessions_of_our_own_do_not_count_as_the_application(ledger, meanwhile, eventually):
    with ledger.desk(budget=IMPATIENT) as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ledger))
        own = meanwhile(ledger.connect("locktender/observer").execute, "SELECT id FROM ledger")
        eventually(
            lambda: ledger.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > '400 ms'")
        )
        assert not running.done()

        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            running.result(30)
    assert desk.guard.bill.most_waiting == 0
    assert own.result(30).fetchall() == [(1,)]


def test_a_budget_exceeded_by_a_file_that_was_committed_all_the_same_does_not_stop_the_next(ledger):
    with ledger.desk() as desk:
        desk.run(script("CREATE TABLE first (id int)", "001"))
        # What the guard leaves behind when its cancel comes after the commit.
        desk.guard._refusal = OverBudget(migration="001", bill="", left="")  # noqa: SLF001

        desk.run(script("CREATE TABLE second (id int)", "002"))

    assert ledger.history() == [("001", "forward"), ("002", "forward")]


def test_a_migration_that_waits_itself_gives_way_and_tries_the_whole_of_it_again(ledger, meanwhile, eventually):
    reader = ledger.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM ledger")
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script("CREATE TABLE later (id int); ALTER TABLE ledger ADD points int"))
        eventually(lambda: len(desk.lines) >= 2)

        assert ledger.connect("checkout").execute("SELECT id FROM ledger").fetchall() == [(1,)]  # between two tries
        reader.execute("COMMIT")
        running.result(30)

    assert desk.lines[0] == "001_ledger: try 1 rolled back (canceling statement due to lock timeout); trying again"
    assert desk.lines[1].startswith("001_ledger: try 2 rolled back")
    assert columns(ledger) == ["id", "points"]
    assert ledger.history() == [("001_ledger", "forward")]


def test_a_lock_that_is_never_to_be_had_ends_in_a_refusal_that_names_who_holds_it(ledger, meanwhile):
    reader = ledger.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM ledger")
    limits = type(LIMITS)(LIMITS.lock_timeout, lock_retry_limit=LIMITS.lock_timeout)

    with pytest.raises(LockNotObtained) as refused:
        ledger.run("CREATE TABLE later (id int); ALTER TABLE ledger ADD points int", limits=limits)

    assert f"In its way: pid {reader.info.backend_pid} (package_migrator, report, idle in transaction" in str(
        refused.value
    )
    assert (ledger.tables(), columns(ledger), ledger.history()) == ({"ledger"}, ["id"], [])


def test_a_deadlock_with_the_application_is_tried_again(ledger, meanwhile, eventually):
    ledger.do("CREATE TABLE users (id int)")
    shop = ledger.connect("checkout")
    shop.execute("BEGIN")
    shop.execute("LOCK users")
    limits = type(LIMITS)(lock_timeout=PATIENT_LOCK, lock_retry_limit=LIMITS.lock_retry_limit)
    with ledger.desk(limits=limits) as desk:
        running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int; ALTER TABLE users ADD points int"))
        eventually(lambda: ledger.sessions("wait_event_type = 'Lock'"))
        with suppress(psycopg.errors.DeadlockDetected):  # the server chooses whom of the two it ends
            meanwhile(shop.execute, "SELECT id FROM ledger").result(30)
        shop.execute("ROLLBACK")
        running.result(30)

    assert columns(ledger) == ["id", "points"]
    assert ledger.history() == [("001_ledger", "forward")]


def test_the_lock_of_the_teams_own_tool_is_tried_for_never_waited_for_and_its_holder_named(place, monkeypatch):
    monkeypatch.setattr("deployments.postgres.guard.watch.LAYOUT_LOCK_PATIENCE", 0.1)
    tool = place.connect("prisma")
    tool.execute("SELECT pg_advisory_lock(72707369)")

    with place.desk() as desk, pytest.raises(LayoutLockHeld) as refused:
        desk.guard.hold_layout_lock(72707369)

    assert f"holds its lock on shop/staging/main (prisma, pid {tool.info.backend_pid})" in str(refused.value)
    tool.execute("SELECT pg_advisory_unlock(72707369)")


@pytest.mark.parametrize("key", [72707369, -5, 2**40 + 1])
def test_no_session_ever_waits_for_the_lock_and_it_is_held_until_the_guard_closes(place, meanwhile, eventually, key):
    tool = place.connect("prisma")
    tool.execute("SELECT pg_advisory_lock(%s)", [key])
    with place.desk() as desk:
        holding = meanwhile(desk.guard.hold_layout_lock, key)
        eventually(lambda: place.sessions("query LIKE 'SELECT pg_try_advisory%'"))
        assert place.rows(f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND {HERE}") == []
        assert not holding.done()
        tool.execute("SELECT pg_advisory_unlock(%s)", [key])
        holding.result(30)

        assert tool.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (False,)

    eventually(lambda: tool.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (True,))


def test_a_cancel_while_the_teams_tool_holds_its_lock_is_heard(place, meanwhile):
    place.connect("prisma").execute("SELECT pg_advisory_lock(7)")
    with place.desk() as desk:
        holding = meanwhile(desk.guard.hold_layout_lock, 7)
        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            holding.result(30)


def test_a_cancel_while_a_statement_runs_ends_it_and_nothing_stays(ledger, meanwhile, eventually):
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ledger))

        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest, match="001_ledger was cancelled on request"):
            running.result(30)
        assert not holds_the_table(ledger)
    assert (columns(ledger), ledger.history()) == (["id"], [])


def test_a_statement_that_swallows_cancels_loses_its_session(ledger, meanwhile, eventually, monkeypatch):
    monkeypatch.setattr("deployments.postgres.guard.watched.CANCEL_PATIENCE", 0.1)
    stubborn = (
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
    )
    with ledger.desk() as desk:
        running = meanwhile(desk.run, script(f"ALTER TABLE ledger ADD points int; {stubborn}"))
        eventually(lambda: holds_the_table(ledger))

        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            running.result(30)
    assert (columns(ledger), ledger.history()) == (["id"], [])


def test_an_application_that_waits_within_the_budget_is_on_the_bill_and_the_file_is_applied(
    ledger, meanwhile, eventually
):
    gate = ledger.connect("gate")
    gate.execute("SELECT pg_advisory_lock(1)")
    limits = type(LIMITS)(lock_timeout=PATIENT_LOCK, lock_retry_limit=LIMITS.lock_retry_limit)
    with ledger.desk(budget=PATIENT, limits=limits) as desk:
        running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int; SELECT pg_advisory_xact_lock(1)"))
        eventually(lambda: ledger.sessions("wait_event = 'advisory'"))
        waiter = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger")
        eventually(lambda: desk.guard.bill.waiting)
        gate.execute("SELECT pg_advisory_unlock(1)")
        running.result(30)

    assert waiter.result(30).fetchall() == [(1,)]
    evidence = desk.guard.bill.as_evidence()
    assert (evidence["most_waiting"], evidence["applications"]) == (1, ["checkout"])
    assert ledger.history() == [("001_ledger", "forward")]
