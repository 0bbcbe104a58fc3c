"""Transactions that may stand in the way of a migration are named."""

from deployments.postgres.activity import long_transactions
from deployments.postgres.connect import session


def seen(place, seconds=0.0):
    with session(place.target) as opened:
        return long_transactions(opened, seconds=seconds)


def test_an_open_transaction_is_named_with_its_session_and_state(place):
    report = place.connect("nightly report")
    report.execute("BEGIN")
    report.execute("SELECT 1")

    [one] = seen(place)

    assert (one.pid, one.application, one.state) == (report.info.backend_pid, "nightly report", "idle in transaction")
    assert str(one).startswith(f"pid {one.pid} (package_migrator, nightly report, idle in transaction) for ")


def test_a_young_transaction_a_session_of_our_own_and_one_elsewhere_are_not(place, superuser):
    for name in ("shop", "locktender/job=1/fence=1"):
        place.connect(name).execute("BEGIN; SELECT 1")
    superuser.execute("SELECT 1")

    assert [one.application for one in seen(place)] == ["shop"]
    assert seen(place, seconds=3600) == []


def test_the_statement_of_a_session_is_not_read(place):
    place.connect("shop").execute("BEGIN; SELECT 'a secret of a customer'")

    assert "secret" not in str([one.as_evidence() for one in seen(place)])
