"""The bill: who waited, for what, behind whom, and which limit that passes."""

import pytest

from checks.budget import DEFAULT
from deployments.postgres.guard import Bill, Budget, InTheWay, Server
from deployments.postgres.guard.bill import A_MOMENT
from deployments.postgres.guard.readings import Replica, Seen, Waiting
from deployments.postgres.stopped import OverBudget
from tests.postgres.places import Place, script

GIGA = 10**9


@pytest.fixture
def ledger(place) -> Place:
    place.do("CREATE TABLE ledger (id int)", "INSERT INTO ledger VALUES (1)")
    return place


def waiting(pid: int, seconds: float, *, since: float = 1.0, query: str = "SELECT 1", relation: str = "a") -> Waiting:
    return Waiting(pid, since, seconds, "shop", "checkout", query, None, relation)


def of(*waits: Waiting) -> Bill:
    bill = Bill()
    bill.add(Seen(waits))
    return bill


def server(**facts) -> Server:
    return Server(**({"connections": 5, "most_connections": 100} | facts))


def over(bill: Bill, **limits) -> str | None:
    found = bill.judge(
        Budget(**{"oldest_seconds": 60, "total_seconds": 600, "sessions": 20, **limits}), connections=100
    )
    return found and found.limit


def test_a_wait_that_is_seen_again_and_again_is_paid_once_and_one_of_another_moment_again():
    bill = of(waiting(7, 0.5))
    bill.add(Seen((waiting(7, 0.75), waiting(8, 0.1))))
    bill.add(Seen((waiting(7, 0.2, since=2.0),)))

    assert bill.total_seconds == pytest.approx(0.75 + 0.1 + 0.2)
    assert (bill.oldest_seconds, bill.most_waiting, bill.waiting) == (0.75, 2, 1)


def test_the_next_look_comes_when_those_who_wait_would_be_over_the_budget_and_not_later():
    budget = Budget(oldest_seconds=1.0, total_seconds=2.0)

    assert Bill().pause(budget, 0.25) == 0.25
    assert of(waiting(7, 0.5)).pause(budget, 0.25) == pytest.approx(0.25)
    assert of(waiting(7, 0.9)).pause(budget, 0.25) == pytest.approx(0.1 + A_MOMENT)
    assert of(waiting(7, 0.8), waiting(8, 0.8), waiting(9, 0.3)).pause(budget, 0.25) == pytest.approx(
        0.1 / 3 + A_MOMENT
    )
    assert of(waiting(7, 0.9)).pause(Budget(oldest_seconds=None, total_seconds=None), 0.25) == pytest.approx(0.25)
    stopped = of(waiting(7, 1.5))
    assert stopped.pause(budget, 0.25) == pytest.approx(A_MOMENT)
    assert over(stopped, oldest_seconds=1.0) == "oldest_seconds"
    assert stopped.pause(budget, 0.25) == 0.25  # what ends it is a matter of the server


def test_the_bill_names_queries_tables_and_users_the_dearest_first_and_no_values():
    bill = of(
        waiting(7, 0.1, query="SELECT * FROM a WHERE name = 'ann'"),
        waiting(8, 2.0, query="UPDATE b SET x = 5", relation="b"),
        waiting(9, 0.3, query="SELECT * FROM a WHERE name = 'bob'"),
    )

    told = bill.as_evidence()

    assert [(one["query"], one["sessions"]) for one in told["queries"]] == [
        ("UPDATE b SET x = ?", 1),
        ("SELECT * FROM a WHERE name = ?", 2),
    ]
    assert [(one["table"], one["seconds"]) for one in told["tables"]] == [("b", 2.0), ("a", 0.4)]
    assert told["users"] == [{"user": "shop", "application": "checkout", "sessions": 3, "seconds": 2.4}]
    assert "ann" not in str(told)
    assert str(bill) == "3 sessions × 2.0 s, 2.4 s in all, for b, a"  # noqa: RUF001


def test_all_tries_of_one_file_have_a_limit_of_their_own():
    bill = of(waiting(7, 9.0))
    assert over(bill, tries_seconds=15) is None

    bill.next_try()
    assert (bill.total_seconds, bill.earlier_seconds) == (0.0, 9.0)
    bill.add(Seen((waiting(7, 8.0, since=2.0),)))

    assert over(bill, tries_seconds=15) == "tries_seconds"


def test_a_full_server_counts_only_while_somebody_waits_for_us():
    bill = Bill()
    bill.add_server(server(connections=95))
    assert over(bill) is None

    bill.add(Seen((waiting(7, 0.1),)))

    assert over(bill) == "connections_percent"


@pytest.mark.parametrize(
    ("before", "after", "limit"),
    [
        ({"replicas": (Replica("r", 1, 50.0, 0),)}, {"replicas": (Replica("r", 1, 79.0, 0),)}, None),
        ({"replicas": (Replica("r", 1, 50.0, 0),)}, {"replicas": (Replica("r", 1, 81.0, 0),)}, "replica_seconds"),
        ({"replicas": (Replica("r", 1, 0.0, GIGA),)}, {"replicas": (Replica("r", 1, 0.0, 2 * GIGA),)}, None),
        ({"replicas": (Replica("r", 1, 0.0, GIGA),)}, {"replicas": (Replica("r", 1, 0.0, 3 * GIGA),)}, "replica_bytes"),
        ({"replicas": (Replica("r", 1, None, None),)}, {"replicas": (Replica("r", 1, None, None),)}, None),
        ({"wal_bytes": 50 * GIGA}, {"wal_bytes": 58 * GIGA}, None),
        ({"wal_bytes": 50 * GIGA}, {"wal_bytes": 59 * GIGA}, "wal_bytes"),
        ({"free_disk_bytes": 9 * GIGA}, {"free_disk_bytes": 3 * GIGA}, None),
        ({"free_disk_bytes": 9 * GIGA}, {"free_disk_bytes": 2 * GIGA}, "free_disk_bytes"),
        ({"free_disk_bytes": None}, {"free_disk_bytes": None}, None),
    ],
)
def test_what_grew_since_the_file_began_counts_and_what_is_not_told_trips_nothing(before, after, limit):
    bill = Bill()
    bill.add_server(server(**before))
    bill.add_server(server(**after))

    assert over(bill) == limit


def test_what_is_not_told_is_shown_as_such():
    bill = Bill()
    assert bill.as_progress()["server"] is None
    bill.add_server(server(replicas=(Replica("r", 1, None, None),)))

    told = bill.as_evidence()["server"]

    assert told["replica"] == {"seconds": None, "bytes": None, "count": 1}
    assert told["free_disk_bytes"] is None


def test_a_limit_that_is_none_is_none():
    bill = of(waiting(7, 1.0))
    bill.add_server(server(connections=100))

    assert over(bill, connections_percent=None) is None


def test_a_limit_that_a_plan_does_not_name_is_none_because_nobody_was_asked_about_it():
    older = Budget.planned({"oldest_seconds": 5.0, "total_seconds": 50.0, "of_a_later_version": 1})

    assert (older.oldest_seconds, older.total_seconds) == (5.0, 50.0)
    assert {older.tries_seconds, older.replica_seconds, older.wal_bytes, older.connections_percent} == {None}
    assert Budget.planned(DEFAULT) == Budget()
    assert [Budget().most_sessions(count) for count in (5, 50, 500)] == [2, 10, 20]


def test_who_is_in_the_way_is_told_in_one_line_and_as_values():
    one = InTheWay(7, "shop", "report", "idle in transaction", 90.4, "SELECT ?", relation="public.ledger")

    assert str(one) == "pid 7 (shop, report, idle in transaction, in its transaction for 90 s)"
    assert one.as_values()["seconds"] == 90.4
    assert one.as_values()["backend_start"] is None


def test_who_waits_behind_somebody_who_waits_for_us_is_on_the_bill(ledger, meanwhile, eventually):
    """A reader does not conflict with us, but it queues behind a TRUNCATE that does."""
    with ledger.desk(budget=Budget(oldest_seconds=60, total_seconds=600, sessions=1)) as desk:
        running = meanwhile(desk.run, script("SELECT count(*) FROM ledger; SELECT pg_sleep(60)"))
        eventually(lambda: ledger.sessions("query LIKE '%pg_sleep%' AND state = 'active'"))
        truncate = meanwhile(ledger.connect("nightly").execute, "TRUNCATE ledger")
        eventually(lambda: desk.guard.bill.waiting == 1)
        assert not running.done()

        reader = meanwhile(ledger.connect("checkout").execute, "SELECT id FROM ledger WHERE id = 12345")

        with pytest.raises(OverBudget) as stopped:
            running.result(30)
    truncate.result(30)
    assert reader.result(30).fetchall() == []
    bill = stopped.value.evidence["bill"]
    assert bill["applications"] == ["checkout", "nightly"]
    assert bill["over"]["limit"] == "sessions"
    assert [one["table"] for one in bill["tables"]] == ["public.ledger"]
    assert {one["query"] for one in bill["queries"]} == {"TRUNCATE ledger", "SELECT id FROM ledger WHERE id = ?"}
