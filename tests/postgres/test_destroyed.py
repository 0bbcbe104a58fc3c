"""From what scripts destroy to the tables of a target that lose data by it."""

import pytest

from checks.losses import losses
from deployments.postgres.connect import session
from deployments.postgres.destroyed import find_destroyed


@pytest.fixture
def destroyed(place):
    """Return a function that says which tables lose data by a script."""

    def find(script: str) -> set[str]:
        with session(place.target) as opened:
            found = find_destroyed(opened, place.target, losses([("001", script)]))
        return {f"{table.schema}.{table.name}" for table in found.tables} | {f"!{name}" for name in found.elsewhere}

    return find


@pytest.fixture
def shop(place):
    """Tables that refer to each other in every way, and one that is partitioned."""
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY)",
        "CREATE TABLE orders (id int PRIMARY KEY, by int REFERENCES users ON DELETE CASCADE)",
        "CREATE TABLE items (id int PRIMARY KEY, of int REFERENCES orders ON DELETE SET NULL)",
        "CREATE TABLE notes (id int, on_item int REFERENCES items)",
        "CREATE TABLE renames (of int REFERENCES users ON UPDATE CASCADE)",
        "CREATE TABLE audit (by int REFERENCES users)",
        "CREATE TABLE events (at date) PARTITION BY RANGE (at)",
        "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "CREATE VIEW user_names AS SELECT * FROM users",
        "CREATE SEQUENCE numbers",
        "CREATE SCHEMA attic",
        "CREATE TABLE attic.users (id int)",
        'CREATE TABLE attic."Odd.na""me" (id int)',
    )
    return place


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("DROP TABLE users", {"public.users"}),
        ("DROP TABLE public.users CASCADE", {"public.users"}),
        ("DROP TABLE attic.users", {"attic.users"}),
        ('DROP TABLE attic."Odd.na""me"', {'attic.Odd.na"me'}),
        ("DROP TABLE not_there, attic.not_there, nowhere.users", set()),
        ("DELETE FROM users", {"public.users", "public.orders", "public.items"}),
        ("UPDATE users SET id = 2 WHERE id = 1", {"public.users", "public.renames"}),
        (
            "MERGE INTO users USING audit ON by = id WHEN MATCHED THEN DELETE",
            {"public.users", "public.orders", "public.items", "public.renames"},
        ),
        ("DELETE FROM items WHERE id = 1", {"public.items"}),
        ("TRUNCATE users", {"public.users"}),
        (
            "TRUNCATE users CASCADE",
            {"public.users", "public.orders", "public.items", "public.notes", "public.renames", "public.audit"},
        ),
        ("ALTER TABLE events DROP COLUMN at", {"public.events", "public.events_2026"}),
        ("DROP TABLE events_2026", {"public.events_2026"}),
        ("DROP SCHEMA attic CASCADE", {"attic.users", 'attic.Odd.na"me'}),
        ("DELETE FROM user_names", {"!public.user_names"}),
        ("DROP SEQUENCE numbers", {"public.numbers"}),
        ("SET search_path = attic; DROP TABLE users", {"attic.users", "public.users"}),
    ],
)
def test_every_table_that_loses_data_is_found(shop, destroyed, script, expected):
    assert destroyed(script) == expected


def test_a_bare_name_is_found_as_the_owner_of_the_objects_would(shop, destroyed):
    ((name,),) = shop.rows("SELECT current_database()")
    shop.administer(f"ALTER DATABASE {name} SET search_path = attic, public")

    assert destroyed("DROP TABLE users, orders") == {"attic.users", "public.orders"}


def test_sizes_are_measured_without_indexes_and_for_partitions_too(shop):
    shop.do("INSERT INTO events SELECT '2026-05-01' FROM generate_series(1, 20000)")
    with session(shop.target) as opened:
        found = find_destroyed(opened, shop.target, losses([("001", "DROP TABLE events")]))

    assert [found.bytes] == [size for (size,) in shop.rows("SELECT pg_table_size('events_2026')")]


def test_a_size_behind_a_lock_is_not_known(shop):
    shop.connect("importer").execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")

    with session(shop.target) as opened:
        found = find_destroyed(opened, shop.target, losses([("001", "DROP TABLE users")]))
        assert opened.execute("SELECT 1").fetchone() == (1,)

    assert found.bytes is None
    assert [table.name for table in found.tables] == ["users"]
