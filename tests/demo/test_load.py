"""The load of the demo: open, bounded, the same every time, and not impressed by failures."""

import pytest

from demo.data import BUSINESSES, USERS
from demo.load import MOST_IN_FLIGHT, Load, wish
from demo.releases import release
from tests.application import running, silent
from tests.demo.programs import ended, eventually, program, service


@pytest.fixture
def load():
    """Return a function that begins to send; what was begun ends with the test."""
    begun = []

    def begin(url: str, *, rate: float = 200) -> Load:
        begun.append(Load(url, rate=rate))
        begun[-1].start()
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def test_the_same_people_want_the_same_every_time():
    wishes = [wish(number) for number in range(500)]

    assert wishes == [wish(number) for number in range(500)]
    assert [method for method, _, _ in wishes[:6]] == ["GET", "POST", "POST", "POST", "POST", "GET"]
    assert len(set(wishes)) > 490
    assert (USERS, BUSINESSES) == (20_000, 200)


def test_purchases_and_balances_reach_the_service(customer, load):
    query = "SELECT count(*) FROM transactions WHERE id > 1000"
    session = customer.connect()
    with service(customer, "2.4.0") as loyalty:
        sending = load(loyalty.url)
        eventually(lambda: session.execute(query).fetchone()[0] > 100)
        sending.end()

    assert sending.counts["failed"] == 0
    bought = session.execute(query).fetchone()[0]
    assert sending.counts["sent"] / 2 < bought < sending.counts["sent"]


def test_a_service_that_hangs_stops_no_arrival_but_bounds_what_is_in_flight(load):
    with running(silent) as application:
        sending = load(application.url(""))
        eventually(lambda: application.connections == MOST_IN_FLIGHT)
        assert sending.counts["sent"] == 0


def test_failures_are_counted_and_nothing_stops(customer, load):
    renaming = release("2.5")
    customer.up_to(renaming)
    with service(customer, "2.4.0") as loyalty:
        sending = load(loyalty.url)
        eventually(lambda: sending.counts["sent"] > 20)
        customer.run(renaming)
        eventually(lambda: sending.counts["failed"] > 20)
        customer.run(renaming, back=True)
        eventually(lambda: loyalty.health()[0] == 200)
        failed, sent = sending.counts["failed"], sending.counts["sent"]
        eventually(lambda: sending.counts["sent"] > sent + 20)
        assert sending.counts["failed"] <= failed + MOST_IN_FLIGHT
        sending.end()


def test_it_goes_on_when_the_service_comes_back(customer, load):
    given = {"LOYALTY_DATABASE": customer.application_url}
    with program("demo.service", "0", "2.4.0", **given) as process:
        url = process.stdout.readline().strip()
        sending = load(url)
        eventually(lambda: sending.counts["sent"] > 20)
        assert sending.counts["failed"] == 0
        assert ended(process) == (0, "")
    eventually(lambda: sending.counts["failed"] > 20)

    with program("demo.service", url.rpartition(":")[2], "2.5.0", **given):
        failed, sent = sending.counts["failed"], sending.counts["sent"]
        eventually(lambda: sending.counts["sent"] - sending.counts["failed"] > sent - failed + 20)


def test_told_to_end_it_ends_and_says_in_one_line_what_came_of_it(customer):
    session = customer.connect()
    with service(customer, "2.4.0") as loyalty, program("demo.load", loyalty.url, "100") as process:
        eventually(lambda: session.execute("SELECT max(id) FROM transactions").fetchone()[0] > 1020)
        status, output = ended(process)

    assert (status, output.count("\n")) == (0, 1)
    sent, failed, left_out = (int(part.split()[0]) for part in output.split(", "))
    assert (sent > 20, failed, left_out >= 0) == (True, 0, True)
