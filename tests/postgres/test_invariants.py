"""What is found of the tables a plan touches, on a real server: within limits, and without being asked."""

from datetime import timedelta

import pytest

from checks.integrity.invariants import Found, Item, Orphans, Rows
from deployments.postgres import invariants
from deployments.postgres.connect import Holder
from deployments.postgres.invariants import look
from deployments.postgres.stopped import CancelledOnRequest
from deployments.postgres.verify import reading
from tests.postgres.places import Stopper

HOLDER = Holder(run=1, job=7, fence=3)


@pytest.fixture
def shop(place):
    """Users, and a ledger and coupons that refer to them."""
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY)",
        "CREATE TABLE ledger (id int PRIMARY KEY, owner int CONSTRAINT ledger_owner REFERENCES users)",
        "CREATE TABLE coupons (id int, owner int CONSTRAINT coupons_owner REFERENCES users)",
        "INSERT INTO users VALUES (1), (2)",
        "INSERT INTO ledger VALUES (1, 1), (2, 2), (3, NULL)",
    )
    return place


def found(place, *touches: str, seconds: float = 60, **options) -> Found:
    with reading(place.target, HOLDER) as opened:
        return look(opened, touches, stop=Stopper(), time_limit=timedelta(seconds=seconds), **options)


def test_everything_about_a_touched_table_is_found(shop):
    seen = found(shop, "public.ledger")

    assert set(seen.constraints) >= {
        Item("public.ledger", "ledger_owner", is_valid=True),
        Item("public.ledger", "ledger_pkey", is_valid=True),
    }
    assert seen.indexes == (Item("public.ledger", "ledger_pkey", is_valid=True),)
    assert seen.orphans == (Orphans("public.ledger", "ledger_owner", is_valid=True, count=0),)
    assert seen.rows == (Rows("public.ledger", 3),)


def test_foreign_keys_of_others_that_refer_to_a_touched_table_are_looked_at_too(shop):
    seen = found(shop, "users")

    assert [(one.table, one.name) for one in seen.orphans] == [
        ("public.coupons", "coupons_owner"),
        ("public.ledger", "ledger_owner"),
    ]
    assert {"coupons_owner", "ledger_owner", "users_pkey"} <= {one.name for one in seen.constraints}
    assert [one.table for one in seen.rows] == ["public.users"]


def test_names_are_resolved_as_checks_gives_them(shop):
    shop.do(
        'CREATE TABLE "Order" (id int)',
        'CREATE SCHEMA "Archive"',
        'CREATE TABLE "Archive".ledger (id int)',
        "CREATE INDEX coupons_of ON coupons (owner)",
        "CREATE VIEW totals AS SELECT count(*) FROM users",
        "CREATE SEQUENCE numbers",
    )

    tables = [one.table for one in found(shop, '"Order"', "ledger", "coupons_of", "totals", "numbers").rows]
    qualified = [
        one.table for one in found(shop, '"Archive".ledger', "public.nowhere", "order", "locktender.meta").rows
    ]

    assert tables == ['"Archive".ledger', 'public."Order"', "public.coupons", "public.ledger"]
    assert qualified == ['"Archive".ledger']


def test_a_plan_that_touches_nothing_finds_nothing(shop):
    assert found(shop) == Found()
    assert found(shop, "nowhere") == Found()


def test_rows_that_refer_to_nothing_are_counted(shop):
    shop.administer(
        "ALTER TABLE ledger DISABLE TRIGGER ALL",
        "INSERT INTO ledger VALUES (4, 8), (5, 9)",
        "ALTER TABLE ledger ENABLE TRIGGER ALL",
    )

    assert found(shop, "ledger").orphans == (Orphans("public.ledger", "ledger_owner", is_valid=True, count=2),)


def test_a_foreign_key_that_is_not_valid_yet_says_so_and_is_counted(shop):
    shop.do(
        "ALTER TABLE ledger DROP CONSTRAINT ledger_owner",
        "UPDATE ledger SET owner = 9 WHERE id = 1",
        "ALTER TABLE ledger ADD CONSTRAINT ledger_owner FOREIGN KEY (owner) REFERENCES users NOT VALID",
    )

    seen = found(shop, "ledger")

    assert seen.orphans == (Orphans("public.ledger", "ledger_owner", is_valid=False, count=1),)
    assert Item("public.ledger", "ledger_owner", is_valid=False) in seen.constraints


@pytest.mark.parametrize(("match", "count"), [("SIMPLE", 1), ("FULL", 2)])
def test_a_key_of_several_columns_is_compared_as_its_match_says(place, match, count):
    place.do(
        'CREATE TABLE "Parent" (a int, "B" text, PRIMARY KEY (a, "B"))',
        "CREATE TABLE child (b text, x int)",
        "INSERT INTO \"Parent\" VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO child VALUES ('one', 1), ('two', 1), ('one', NULL), (NULL, NULL)",
        f'ALTER TABLE child ADD CONSTRAINT "of Parent" FOREIGN KEY (x, b) REFERENCES "Parent" (a, "B")'
        f" MATCH {match} NOT VALID",
    )

    assert found(place, "child").orphans == (Orphans("public.child", "of Parent", is_valid=False, count=count),)


def test_a_partitioned_table_is_looked_at_as_one(place):
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY)",
        "CREATE TABLE visits (id int, owner int REFERENCES users) PARTITION BY RANGE (id)",
        "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10)",
        "CREATE INDEX visits_of ON ONLY visits (owner)",
        "INSERT INTO users VALUES (1)",
        "INSERT INTO visits VALUES (1, 1)",
    )

    seen = found(place, "visits")

    assert seen.rows == (Rows("public.visits", 1),)
    assert [(one.table, one.count) for one in seen.orphans] == [("public.visits", 0)]
    assert seen.indexes == (Item("public.visits", "visits_of", is_valid=False, may_be_invalid=True),)


def test_an_index_that_was_left_invalid_is_seen(shop):
    shop.do("CREATE INDEX ledger_of ON ledger (owner)")
    shop.administer("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ledger_of'::regclass")

    assert Item("public.ledger", "ledger_of", is_valid=False) in found(shop, "ledger").indexes


def test_many_rows_are_estimated_instead_of_counted(shop, monkeypatch):
    monkeypatch.setattr(invariants, "EXACT_BELOW", 100)
    shop.do("INSERT INTO coupons SELECT n FROM generate_series(1, 120) n", "ANALYZE coupons, ledger")
    shop.do("DELETE FROM coupons WHERE id <= 10")

    seen = found(shop, "coupons", "ledger")

    assert seen.rows == (Rows("public.coupons", 120, is_estimate=True), Rows("public.ledger", 3))


def test_a_table_of_which_nothing_is_known_is_counted(shop):
    assert found(shop, "users").rows == (Rows("public.users", 2),)


def test_a_locked_table_holds_nothing_up_and_is_not_measured(shop, monkeypatch):
    monkeypatch.setattr(invariants, "LOCK_LIMIT", timedelta(milliseconds=200))
    with shop.connect() as other, other.transaction():
        other.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        seen = found(shop, "ledger", "users")

    reason = "Another session held a lock on it for more than 0.2 s."
    assert seen.rows == (Rows("public.ledger", None, reason=reason), Rows("public.users", 2))
    assert [(one.name, one.count, one.reason) for one in seen.orphans] == [
        ("coupons_owner", 0, ""),
        ("ledger_owner", None, reason),
    ]
    assert Item("public.ledger", "ledger_owner", is_valid=True) in seen.constraints


def test_a_count_that_takes_too_long_is_cut_off_and_says_so(shop):
    shop.do("CREATE TABLE visits AS SELECT generate_series(1, 500000)")

    (rows,) = found(shop, "visits", count_limit=timedelta(milliseconds=1)).rows

    assert (rows.count, rows.reason) == (None, "It was cut off: it may take 0.001 s.")


def test_when_the_time_for_all_counts_is_over_the_others_are_not_measured(shop):
    seen = found(shop, "ledger", seconds=0)

    assert seen.rows == (Rows("public.ledger", None, reason="The time for all counts was used up."),)
    assert seen.orphans[0].count is None
    assert len(seen.constraints) >= 2


def test_a_table_that_the_role_may_not_read_is_not_measured(shop):
    shop.administer("CREATE TABLE secrets (id int)", "REVOKE ALL ON secrets FROM public")

    (rows,) = found(shop, "secrets").rows

    assert rows.count is None
    assert rows.reason == "The server refused it: permission denied for table secrets (SQLSTATE 42501)."


def test_a_person_who_asks_to_stop_is_obeyed_between_two_counts(shop):
    stop = Stopper()
    stop.asked.set()

    with pytest.raises(CancelledOnRequest), reading(shop.target, HOLDER) as opened:
        look(opened, ["ledger"], stop=stop, time_limit=timedelta(seconds=60))


def test_operators_of_the_search_path_are_not_believed(shop):
    shop.do(
        "CREATE SCHEMA tricks",
        *(
            f"CREATE FUNCTION tricks.never({kind}, {kind}) RETURNS bool LANGUAGE sql AS 'SELECT false';"
            f"CREATE OPERATOR tricks.= (LEFTARG = {kind}, RIGHTARG = {kind}, FUNCTION = tricks.never)"
            for kind in ("int", "oid")
        ),
        # In this database alone: other tests use the same role at the same time.
        "DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I"
        " SET search_path = tricks, pg_catalog, public', current_database()); END $$",
    )

    seen = found(shop, "ledger")

    assert seen.orphans == (Orphans("public.ledger", "ledger_owner", is_valid=True, count=0),)
