"""How fast batches go: no batch is bigger than declared, and who waits for them, or lags behind, slows them down."""

import pytest

from deployments.postgres.batches import replicas
from deployments.postgres.batches import run as batches
from deployments.postgres.batches.pace import FIRST_PAUSE, FIRST_SIZE, LONGEST_PAUSE, Pace, Pressure
from deployments.postgres.guard import Budget
from deployments.postgres.guard.readings import Replica, Server
from deployments.postgres.stopped import LockNotObtained, OverBudget
from tests.postgres.places import LIMITS, Place, script

QUIET = Pressure()
RAISE = "-- locktender: batch table=users key=id size=40\nUPDATE users SET visits = visits + 1"


@pytest.fixture
def users(place) -> Place:
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY, visits int NOT NULL DEFAULT 0)",
        "INSERT INTO users SELECT n FROM generate_series(1, 100) n",
    )
    return place


def visits(place) -> list[tuple[int, int]]:
    return place.rows("SELECT visits, count(*) FROM users GROUP BY 1 ORDER BY 1")


def test_it_begins_small_and_grows_towards_half_a_second_but_never_above_what_is_declared():
    pace = Pace(most=5_000)
    sizes = [pace.size]
    for _ in range(6):
        pace.took(0.01, pace.size, QUIET)
        sizes.append(pace.size)
    assert sizes == [FIRST_SIZE, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]
    assert Pace(most=20).size == 20

    pace.took(1.0, 5_000, QUIET)
    assert pace.size == 2_500
    pace.took(60.0, 2_500, QUIET)
    assert pace.size == 625  # at most four times smaller at once: one slow batch may have been a checkpoint
    for _ in range(20):
        pace.took(600.0, pace.size, QUIET)
    assert pace.size == 1


def test_the_last_batch_of_a_table_says_nothing_about_full_ones():
    pace = Pace(most=5_000)
    pace.took(0.4, 1, QUIET)
    assert pace.size == FIRST_SIZE


@pytest.mark.parametrize(
    ("pressure", "reason"),
    [
        (Pressure(waiting=3), "3 sessions waited for the last batch"),
        (Pressure(lag=12.4), "a replica has fallen 12 s behind"),
    ],
)
def test_the_pause_doubles_while_others_suffer_and_goes_when_they_no_longer_do(pressure, reason):
    pace = Pace(most=5_000, lag_limit=5.0)
    pauses = []
    for _ in range(10):
        pace.took(0.1, pace.size, pressure)
        pauses.append(pace.pause)
    assert pauses[:4] == [FIRST_PAUSE, 0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE
    assert pace.reason == reason

    for _ in range(10):
        pace.took(0.1, pace.size, QUIET)
    assert (pace.pause, pace.reason) == (0.0, "")


def test_a_lag_that_is_not_measured_or_small_slows_nothing():
    pace = Pace(most=5_000, lag_limit=5.0)
    pace.took(0.1, pace.size, Pressure(lag=4.9))
    pace.took(0.1, pace.size, Pressure(lag=None))
    assert pace.pause == 0


@pytest.mark.parametrize(("allowed", "waited_for"), [(30, 5.0), (3, 0.5), (None, None)])
def test_how_far_a_replica_may_fall_behind_follows_the_budget_of_the_plan(users, monkeypatch, allowed, waited_for):
    made, begun = [], Pace.__post_init__
    monkeypatch.setattr(Pace, "__post_init__", lambda pace: (made.append(pace), begun(pace)))
    users.run(RAISE, budget=Budget(replica_seconds=allowed))

    (pace,) = made
    assert pace.lag_limit == waited_for
    pace.pause = 0.0
    pace.took(0.1, pace.size, Pressure(lag=4.0))
    assert bool(pace.pause) is (waited_for == 0.5)


def test_a_replica_that_was_behind_before_counts_from_there_and_one_that_comes_back_from_there_too(monkeypatch):
    told = iter([[("delayed", 1, 3600.0), ("near", 2, 0.0)], [("delayed", 1, 3601.0), ("near", 2, 7.0)],
                 [("delayed", 9, 3603.0)], [("new", 4, 40.0)], [("near", 2, None)]])  # fmt: skip
    monkeypatch.setattr(replicas, "READING_SECONDS", 0)
    server = lambda *_, **__: Server(replicas=tuple(Replica(*one, bytes=0) for one in next(told)))  # noqa: E731
    monkeypatch.setattr(replicas, "look_at_server", server)
    seen = replicas.Replicas()

    assert [seen.lag(None) for _ in range(5)] == [0.0, 7.0, 3.0, 40.0, None]


def test_a_row_that_the_application_holds_is_tried_again_in_smaller_batches(users, monkeypatch):
    writer = users.connect("writer")
    writer.execute("BEGIN")
    writer.execute("UPDATE users SET visits = visits WHERE id = 55")
    told, refused = [], Pace.refused

    def refuse(pace: Pace, why: str) -> None:
        refused(pace, why)
        told.append((pace.size, why))
        if len(told) == 2:
            writer.execute("COMMIT")

    monkeypatch.setattr(Pace, "refused", refuse)
    users.run(RAISE)

    assert told[0][0] == 10
    assert "lock timeout" in told[0][1]
    assert visits(users) == [(1, 100)]


def test_a_row_that_is_held_for_good_is_a_lock_not_obtained_that_names_who_holds_it(users):
    writer = users.connect("writer")
    writer.execute("BEGIN")
    writer.execute("UPDATE users SET visits = visits WHERE id = 55")
    limits = type(LIMITS)(LIMITS.lock_timeout, lock_retry_limit=LIMITS.lock_timeout)

    with pytest.raises(LockNotObtained, match=r"another run goes on after the last batch\. In its way: pid .*writer"):
        users.run(RAISE, limits=limits)

    writer.execute("ROLLBACK")
    done = users.rows("SELECT keys, rows FROM locktender.batch")
    assert visits(users)[-1] == (1, done[0][0])
    users.run(RAISE, job=2, fence=2)
    assert visits(users) == [(1, 100)]


def test_progress_tells_rows_rates_and_an_estimate_that_never_says_all_before_the_end(users):
    users.do("ANALYZE users")
    with users.desk() as desk:
        told: list = []
        object.__setattr__(desk.worker, "tell_batches", told.append)
        desk.run(script(RAISE))

    first, last = told[0].as_progress(), told[-1].as_progress()
    assert (first["table"], first["key"], first["estimate"], first["most"]) == ("users", "id", 100, 40)
    assert first["percent"] < 100
    assert (last["rows"], last["keys"], last["batches"], last["percent"]) == (100, 100, 3, 100)
    assert "watermark" not in str(last)
    assert told[-1].as_evidence()["rows"] == 100


def test_a_table_that_nobody_counted_has_no_percentage(users):
    with users.desk() as desk:
        told: list = []
        object.__setattr__(desk.worker, "tell_batches", told.append)
        desk.run(script(RAISE))

    assert told[0].as_progress()["percent"] is None
    assert told[0].as_progress()["seconds_left"] is None
    assert told[-1].as_progress()["percent"] == 100


def test_a_batch_that_the_application_waits_for_too_long_is_rolled_back_and_made_smaller(
    users, monkeypatch, meanwhile, eventually
):
    sizes: list[int] = []
    refused, blocked = Pace.refused, []

    def refuse(pace: Pace, why: str) -> None:
        refused(pace, why)
        sizes.append(pace.size)
        assert "the application waited" in why

    def advance(opened, place, to) -> None:
        if not sizes:
            blocked.append(meanwhile(users.connect("shop").execute, "UPDATE users SET visits = visits WHERE id = 1"))
            eventually(lambda: desk.guard._refusal is not None)  # noqa: SLF001 # the guard has seen it, and cancels
        really(opened, place, to)

    really = batches.advance
    monkeypatch.setattr(Pace, "refused", refuse)
    monkeypatch.setattr(batches, "advance", advance)
    with users.desk(budget=Budget(oldest_seconds=0.05)) as desk:
        desk.run(script(RAISE))

    blocked[0].result(20)
    assert sizes == [10]
    assert visits(users) == [(1, 100)]


def test_batches_that_are_held_up_again_and_again_are_over_budget_and_what_was_committed_stays(
    users, monkeypatch, meanwhile, eventually
):
    threads: list = []

    def advance(opened, place, to) -> None:
        if to.batches == 2:
            query = "UPDATE users SET visits = visits WHERE id BETWEEN 41 AND 100"
            threads.append(meanwhile(users.connect("shop").execute, query))
            eventually(lambda: desk.guard._refusal is not None)  # noqa: SLF001
        really(opened, place, to)

    really = batches.advance
    monkeypatch.setattr(batches, "advance", advance)
    with users.desk(budget=Budget(oldest_seconds=0.05)) as desk, pytest.raises(OverBudget, match="Batch 2"):
        desk.run(script(RAISE))

    assert [one.result(20).rowcount for one in threads] == [60] * batches.OVER_BUDGET_TRIES
    assert visits(users) == [(0, 60), (1, 40)]
    assert desk.guard.bill.all_seconds > 0  # the bill of the file has those of its batches
