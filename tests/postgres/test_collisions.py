"""What a migration would run into is found before it begins, with what it holds and whether that is in the way."""

import pytest

from checks.policy.collisions import Collision
from deployments.postgres.collisions import Plan, collisions, untold
from deployments.postgres.connect import session

OF_LEDGER = Plan(touches=frozenset({"public.ledger"}), waits_for_all=False)


@pytest.fixture
def shop(place):
    place.do("CREATE TABLE ledger (id int)", "CREATE TABLE orders (id int)")
    return place


def met(place, plan=OF_LEDGER):
    with session(place.target) as opened:
        return collisions(opened, plan)


def only(place, plan=OF_LEDGER):
    [one] = met(place, plan)
    return one


def test_nothing_is_in_the_way_of_a_quiet_database_and_sessions_of_our_own_are_not(shop):
    shop.connect("locktender/job=1/fence=1").execute("BEGIN; LOCK orders IN ACCESS EXCLUSIVE MODE")
    shop.connect("shop").execute("BEGIN; SELECT * FROM ledger")  # young

    assert met(shop) == []


def test_a_session_that_changes_a_table_is_named_with_the_table(shop):
    other = shop.connect("somebody's tool")
    other.execute("BEGIN; ALTER TABLE ledger ADD note text")

    one = only(shop)

    assert (one.kind, one.is_in_the_way) == (Collision.OTHER_CHANGE, True)
    assert f"pid {other.info.backend_pid} (package_migrator, somebody's tool, idle in transaction)" in one.text
    assert one.text.endswith("changes public.ledger")


def test_what_holds_other_tables_is_named_and_is_not_in_the_way_unless_every_snapshot_is_waited_for(shop):
    shop.connect("somebody's tool").execute("BEGIN; ALTER TABLE orders ADD note text")

    assert not only(shop).is_in_the_way
    assert only(shop, Plan(touches=frozenset({"public.ledger"}), waits_for_all=True)).is_in_the_way
    assert only(shop, Plan(touches=frozenset(), waits_for_all=False)).is_in_the_way  # not known what it touches


def test_a_dump_is_told_apart_by_what_pg_dump_calls_itself(shop):
    shop.connect("pg_dump").execute("BEGIN; SELECT * FROM ledger")

    assert only(shop).kind is Collision.RUNNING_DUMP


def test_a_long_transaction_is_told_with_what_it_holds(shop, monkeypatch):
    monkeypatch.setattr("deployments.postgres.collisions.LONG_SECONDS", 0)
    shop.connect("nightly report").execute("BEGIN; SELECT 'a secret' FROM ledger")

    one = only(shop)

    assert (one.kind, one.is_in_the_way) == (Collision.LONG_TRANSACTION, True)
    assert "holding public.ledger" in one.text
    assert "secret" not in one.text


def test_untold_names_what_the_server_keeps_to_itself(shop):
    with session(shop.target) as opened:
        assert untold(opened)[-1].startswith("Free disk on the server is not measured")


def test_free_disk_is_asked_where_an_administrator_made_a_function_for_it(shop):
    shop.administer(
        "CREATE FUNCTION locktender.free_disk_bytes() RETURNS bigint LANGUAGE sql AS 'SELECT 2^30::bigint'",
        "GRANT EXECUTE ON FUNCTION locktender.free_disk_bytes() TO PUBLIC",
    )
    wants = Plan(touches=frozenset(), waits_for_all=False, free_disk_bytes=2 * 2**30)

    assert str(only(shop, wants)) == "the server has 1.0 GiB of disk free"
    assert met(shop) == []


def test_a_prepared_transaction_is_in_the_way_of_what_it_holds_and_only_of_that(shop):
    shop.connect("shop").execute("BEGIN; INSERT INTO orders VALUES (1); PREPARE TRANSACTION 'left'")
    try:
        (one,) = met(shop)
        (other,) = met(shop, Plan(touches=frozenset({"public.orders"}), waits_for_all=False))
    finally:
        shop.do("ROLLBACK PREPARED 'left'")

    assert (one.kind, one.is_in_the_way, other.is_in_the_way) == (Collision.PREPARED_TRANSACTION, False, True)
    assert other.text.endswith("holding public.orders")
