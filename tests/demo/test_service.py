"""The customer's application: what it does, what it needs of its database, and how it takes what happens to that."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from demo.releases import RELEASES, release
from demo.service.latency import Latency
from demo.service.store import CONNECTIONS
from tests.demo.conftest import Customer
from tests.demo.programs import Client, ended, eventually, program, service

WELL = dict.fromkeys(
    ["users", "businesses", "refresh_tokens", "transactions", "point_ledger", "notification_log"], "ok"
)
OLD, NEW = "2.4.0", "2.5.0"
GOLD, SILVER, BASIC = 10, 3, 1  # businesses
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'loyalty%' AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize(("business", "points"), [(BASIC, 22), (SILVER, 25), (GOLD, 30)])
def test_a_purchase_brings_points_and_the_bonus_of_the_tier(customer, business, points):
    with service(customer, OLD) as loyalty:
        before = loyalty.points(7)

        assert loyalty.buy(user=7, business=business, amount="20.99") == (201, {"points": points})

        assert loyalty.points(7) == before + points
    query = (
        "SELECT reason, points FROM point_ledger WHERE transaction_id = (SELECT max(id) FROM transactions) ORDER BY id"
    )
    assert customer.connect().execute(query).fetchall() == [("purchase", 20), ("bonus", points - 20)]


def test_it_says_that_it_is_well_and_how_long_requests_take(customer):
    with service(customer, OLD) as loyalty:
        status, first = loyalty.health()
        loyalty.buy()
        loyalty.buy(business=9999)
        _, second = loyalty.health()

    none = {"p99_ms": None, "requests": 0, "failed": 0, "window_seconds": 10}
    assert (status, first) == (200, {"status": "ok", "version": OLD, "checks": WELL, "latency": none})
    assert (second["latency"]["requests"], second["latency"]["failed"]) == (2, 0)
    assert second["latency"]["p99_ms"] > 0


def test_the_percentile_is_of_all_requests_of_the_window(monkeypatch):
    now = 1000.0
    monkeypatch.setattr("demo.service.latency.time.monotonic", lambda: now)
    latency = Latency()
    latency.add(seconds=9, is_failed=True)
    now += 10.5
    for milliseconds in range(200):
        latency.add(seconds=milliseconds / 1000, is_failed=milliseconds == 5)

    assert latency.summary() == {"p99_ms": 197.0, "requests": 200, "failed": 1, "window_seconds": 10}


def test_the_old_version_needs_the_tier_and_the_new_one_knows_both_names(customer):
    renaming = release("2.5")
    customer.up_to(renaming)
    with service(customer, OLD) as old, service(customer, NEW) as new:
        assert (old.health()[0], new.health()[0]) == (200, 200)
        assert (old.buy()[0], new.buy()[0]) == (201, 201)

        customer.run(renaming)

        status, told = old.health()
        assert (status, told["status"]) == (503, "failing")
        assert told["checks"] == WELL | {"businesses": 'column "tier" does not exist'}
        assert old.buy()[0] == 503
        assert (new.health()[0], new.buy(business=GOLD)) == (200, (201, {"points": 30}))

        customer.run(renaming, back=True)

        assert (old.health()[0], new.health()[0]) == (200, 200)
        assert (old.buy()[0], new.buy(business=GOLD)) == (201, (201, {"points": 30}))


def test_the_new_version_needs_one_of_the_names(customer):
    customer.as_owner().execute("ALTER TABLE businesses RENAME COLUMN tier TO rank")
    with service(customer, NEW) as loyalty:
        status, told = loyalty.health()

        assert (status, told["checks"]["businesses"]) == (503, "a column is empty")
        assert loyalty.buy()[0] == 503
        assert loyalty.points(1) >= 0


@pytest.mark.parametrize("version", [OLD, NEW])
def test_every_release_that_its_version_knows_can_come_and_go_while_it_runs(customer, version):
    releases = [one for one in RELEASES[1:] if version == NEW or one.version != "2.5"]
    with service(customer, version) as loyalty:
        for back in (False, True):
            for one in releases[:: -1 if back else 1]:
                customer.run(one, back=back)
                told = [loyalty.buy(user=user) for user in range(1, 9)]  # over every connection
                assert [status for status, _ in told] == [201] * 8, (one, told)
                assert loyalty.health()[0] == 200


def test_it_is_not_well_without_one_of_its_tables(customer):
    owner = customer.as_owner()
    with service(customer, OLD) as loyalty:
        for table in WELL:
            owner.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
            status, told = loyalty.health()
            owner.execute(f"ALTER TABLE elsewhere RENAME TO {table}")

            assert (status, told["checks"]) == (503, WELL | {table: f'relation "{table}" does not exist'})
        assert loyalty.health()[0] == 200


def test_it_finds_its_database_again(customer, superuser):
    with service(customer, OLD) as loyalty:
        assert loyalty.health()[0] == 200
        ends = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        assert superuser.execute(ends, [customer.name]).fetchone()[0] >= 4
        there = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        eventually(lambda: superuser.execute(there, [customer.name]).fetchone() == (0,))

        assert [loyalty.buy()[0] for _ in range(9)] == [503] + [201] * 8
        assert loyalty.health()[0] == 200


def test_a_purchase_is_written_with_its_points_or_not_at_all(customer):
    customer.as_owner().execute("ALTER TABLE point_ledger ADD CHECK (reason <> 'bonus') NOT VALID")
    with service(customer, OLD) as loyalty:
        before = loyalty.points(1)

        assert loyalty.buy()[0] == 503

        assert loyalty.points(1) == before
        assert loyalty.health()[1]["latency"]["failed"] == 1
    assert customer.connect().execute("SELECT max(id) FROM transactions").fetchone() == (1000,)


def test_it_waits_for_a_database_that_is_not_there_yet(make_customer, founded):
    later = Customer(f"{founded}_later")
    with service(later, OLD) as loyalty:
        status, told = loyalty.health()
        assert (status, set(told["checks"].values())) == (503, {"no connection to the database"})
        assert loyalty.buy()[0] == 503

        make_customer(founded, name=later.name)

        assert (loyalty.health()[0], loyalty.buy()[0]) == (200, 201)


def test_told_to_end_it_answers_what_was_begun(customer):
    keeper = customer.connect()
    with (
        program("demo.service", "0", OLD, LOYALTY_DATABASE=customer.application_url) as process,
        ThreadPoolExecutor() as threads,
    ):
        loyalty = Client(process.stdout.readline().strip())
        with keeper.transaction():
            keeper.execute("LOCK TABLE businesses")
            purchase = threads.submit(loyalty.buy)
            eventually(lambda: customer.connect().execute(WAITING).fetchone() == (1,))
            ending = threads.submit(ended, process)
            eventually(lambda: is_closed(loyalty.url))

        assert purchase.result()[0] in {201, 503}  # 503 where the test itself held the lock for too long
        assert ending.result() == (0, "")
        loyalty.close()


def is_closed(url: str) -> bool:
    """Whether nobody listens there any more."""
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port)).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(
    "given",
    [{"amount": "0.00"}, {"amount": "-5"}, {"amount": 5}, {"amount": "1e3"}, {"user": "1"}, {"user": 2**31}],
)
def test_what_is_no_purchase_is_refused_and_nothing_is_written(customer, given):
    with service(customer, OLD) as loyalty:
        status, _ = loyalty.buy(**given)
        assert (status, loyalty.health()[1]["latency"]["failed"]) == (400, 0)
    assert customer.connect().execute("SELECT max(id) FROM transactions").fetchone() == (1000,)


@pytest.mark.parametrize("given", [{"user": 999999}, {"business": 999999}])
def test_a_purchase_of_nobody_or_nowhere_leaves_nothing(customer, given):
    with service(customer, OLD) as loyalty:
        assert loyalty.buy(**given)[0] == 404
    assert customer.connect().execute("SELECT max(id) FROM transactions").fetchone() == (1000,)
    assert customer.connect().execute("SELECT max(id) FROM point_ledger").fetchone() == (2000,)


def test_each_version_names_itself_to_the_server(customer):
    with service(customer, NEW) as loyalty:
        assert loyalty.health()[1]["version"] == NEW
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loyalty 2.5.0' AND datname = %s"
        (count,) = customer.connect().execute(query, [customer.name]).fetchone()
    assert count == CONNECTIONS


def test_a_table_that_stays_locked_is_reported_and_not_waited_for_without_end(customer):
    keeper = customer.connect()
    with service(customer, OLD) as loyalty, keeper.transaction():
        keeper.execute("LOCK TABLE users")
        status, told = loyalty.health()

    assert (status, told["checks"]) == (503, WELL | {"users": "canceling statement due to lock timeout"})
