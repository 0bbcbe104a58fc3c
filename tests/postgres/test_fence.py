"""The fence: whoever was overtaken can write nothing more, wherever it is at that moment."""

import os
import signal
import subprocess
import sys
import threading

import psycopg
import pytest

from deployments.postgres.connect import Holder, session
from deployments.postgres.errors import FenceAhead, FenceLost, TargetUnreachable
from deployments.postgres.sessions import end_predecessors, take_over
from deployments.postgres.stopped import InDoubt
from tests.postgres.places import Place, script

SUCCESSOR = Holder(run=1, job=1, fence=7)
STALE_EXECUTOR = """
import sys
import django
from datetime import timedelta
from uuid import UUID
django.setup()
from deployments.postgres.connect import Target
from tests.postgres.places import Place, script
place = Place(Target(1, "shop", "env:STALE_TARGET"), url="", plane=UUID(int=0), superuser_url="")
def tell(sent):
    if sent.number == 2:
        print("in the middle", flush=True)
        sys.stdin.readline()
with place.desk(job=1, fence=5, tell=tell) as desk:
    desk.run(script("CREATE TABLE ledger (id int); INSERT INTO ledger VALUES (5)", "001_ledger"))
    desk.run(script("CREATE TABLE later (id int)", "002_later"))
print("both applied", flush=True)
"""


def overtake(place: Place, holder: Holder = SUCCESSOR) -> int:
    with session(place.target, name=holder.session_name) as opened:
        return take_over(opened, place.target, holder)


@pytest.mark.parametrize("text", ["CREATE TABLE ledger (id int)", "CREATE INDEX CONCURRENTLY by_id ON users (id)"])
def test_a_stale_holder_writes_nothing(place, text):
    place.do("CREATE TABLE users (id int)")
    overtake(place)

    with pytest.raises(FenceLost):
        place.run(text, job=1, fence=6)

    assert (place.tables(), place.indexes(), place.history()) == ({"users"}, {}, [])
    assert place.rows("SELECT count(*) FROM locktender.statement") == [(0,)]


def test_a_holder_that_is_overtaken_between_two_statements_outside_a_transaction_stops(place):
    place.do("CREATE TABLE users (id int, name text)")

    def tell(sent):
        if sent.number == 2:
            place.rows("UPDATE locktender.fence SET fence = 7 RETURNING 1")

    text = "CREATE INDEX CONCURRENTLY by_id ON users (id); CREATE INDEX CONCURRENTLY by_name ON users (name)"
    with pytest.raises(FenceLost):
        place.run(text, fence=6, tell=tell)

    assert place.indexes() == {"by_id": True}
    assert place.history() == []
    assert place.rows("SELECT position, state FROM locktender.statement ORDER BY position") == [(1, "done")]


def test_taking_over_ends_the_sessions_of_earlier_executors_and_nobody_elses(place):
    earlier, same, shop = (
        place.connect(name) for name in ("locktender/job=3/fence=6", "locktender/job=9/fence=7", "shop")
    )
    observer = place.connect("locktender/observer")
    lookalike = place.connect("shop fence=1")
    earlier.execute("BEGIN")
    earlier.execute("CREATE TABLE half (id int)")

    assert overtake(place) == 1

    with pytest.raises(psycopg.OperationalError):
        earlier.execute("COMMIT")
    for other in (same, shop, observer, lookalike):
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert place.tables() == set()
    assert place.rows("SELECT fence FROM locktender.fence") == [(7,)]


def test_taking_over_waits_until_an_earlier_transaction_is_really_gone(place):
    """A predecessor in the middle of its transaction holds the fence's row: the successor has it only afterwards."""
    earlier = place.connect("locktender/job=1/fence=5")
    earlier.execute("BEGIN")
    earlier.execute("UPDATE locktender.fence SET fence = 5")
    pid = earlier.info.backend_pid

    overtake(place)

    assert place.rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid) == []
    assert place.rows("SELECT fence FROM locktender.fence") == [(7,)]


def test_a_predecessor_that_does_not_go_is_a_doubt(place, monkeypatch):
    monkeypatch.setattr("deployments.postgres.sessions.PATIENCE_SECONDS", 0.1)
    place.connect("locktender/job=1/fence=5")
    # As a session that does not react: seen again and again.
    with session(place.target) as opened:
        opened.execute("SET lock_timeout = '1s'")
        monkeypatch.setattr(
            "deployments.postgres.sessions.PREDECESSORS",
            "SELECT pg_backend_pid(), NULL::timestamptz WHERE %(fence)s > 0",
        )

        with pytest.raises(InDoubt, match="1 of its sessions do not end"):
            end_predecessors(opened, place.target, SUCCESSOR)


def test_a_fence_ahead_of_every_one_we_gave_out_is_refused_and_nothing_ended(place):
    place.rows("UPDATE locktender.fence SET fence = 900 RETURNING 1")
    other = place.connect("locktender/job=3/fence=6")

    with pytest.raises(FenceAhead, match="has seen fence 900, but this run holds 7"):
        overtake(place)

    assert other.execute("SELECT 1").fetchone() == (1,)
    assert place.rows("SELECT fence FROM locktender.fence") == [(900,)]


def test_two_that_take_over_at_once_leave_the_higher_fence(place, meanwhile):
    gate = threading.Barrier(2)

    def go(fence):
        gate.wait()
        try:
            overtake(place, Holder(run=1, job=fence, fence=fence))
        except (FenceAhead, FenceLost, TargetUnreachable, psycopg.OperationalError) as beaten:
            return type(beaten).__name__
        return "took over"

    lower, higher = meanwhile(go, 7), meanwhile(go, 8)

    assert higher.result(30) == "took over"
    assert lower.result(30)  # it may have been first; then it was ended afterwards
    assert place.rows("SELECT fence FROM locktender.fence") == [(8,)]


def test_an_executor_that_slept_through_its_takeover_writes_nothing_when_it_wakes(place):
    """Stopped in the middle of its transaction, overtaken, continued: as on a machine that was suspended."""
    with subprocess.Popen(
        [sys.executable, "-c", STALE_EXECUTOR],
        env=os.environ | {"STALE_TARGET": place.url, "DJANGO_SETTINGS_MODULE": "controlplane.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as stale:
        assert stale.stdout.readline() == "in the middle\n"
        stale.send_signal(signal.SIGSTOP)

        assert overtake(place) == 2  # its guard and its migration

        place.run("CREATE TABLE ledger (id int); INSERT INTO ledger VALUES (7)", "001_ledger", job=1, fence=7)
        stale.send_signal(signal.SIGCONT)
        output, _ = stale.communicate("\n", timeout=60)

    assert "GuardLost" in output or "FenceLost" in output, output
    assert "both applied" not in output
    assert place.tables() == {"ledger"}
    assert place.rows("SELECT id FROM ledger") == [(7,)]
    assert place.rows("SELECT migration, fence FROM locktender.history") == [("001_ledger", 7)]


def test_a_stale_holder_that_opens_a_new_session_after_the_takeover_is_refused_by_the_fence(place):
    with place.desk(fence=6) as desk:  # its guard is there before, and is not ended here
        place.rows("UPDATE locktender.fence SET fence = 7 RETURNING 1")

        with pytest.raises(FenceLost, match="fence 6 is no longer the highest"):
            desk.run(script("CREATE TABLE ledger (id int)"))

    assert (place.tables(), place.history()) == (set(), [])
