"""What data a script would destroy, told from its text."""

import pytest

from checks.losses import Loss, Losses, Reach, losses

NOTHING = Losses((), (), ())


def lost(*scripts: str) -> Losses:
    return losses((f"{number:03}_x", text) for number, text in enumerate(scripts, start=1))


@pytest.mark.parametrize(
    ("script", "reach"),
    [
        ("DROP TABLE orders", "alone"),
        ("DROP TABLE IF EXISTS orders CASCADE", "alone"),
        ("DROP FOREIGN TABLE orders", "alone"),
        ("ALTER TABLE orders DROP COLUMN total", "alone"),
        ("ALTER TABLE orders DROP COLUMN total CASCADE", "alone"),
        ("ALTER TABLE orders ALTER COLUMN total TYPE int", "alone"),
        ("TRUNCATE orders", "alone"),
        ("TRUNCATE orders CASCADE", "references"),
        ("DELETE FROM orders", "deletes"),
        ("DELETE FROM orders WHERE id = 1", "deletes"),
        ("UPDATE orders SET total = 0", "updates"),
        ("UPDATE orders SET total = 0 WHERE id = 1", "updates"),
        ("INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET total = 0", "updates"),
        ("MERGE INTO orders USING s ON s.id = orders.id WHEN MATCHED THEN DELETE", "deletes updates"),
        ("MERGE INTO orders USING s ON true WHEN MATCHED THEN DELETE", "deletes updates"),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone", "deletes"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "deletes"),
        ("DROP SEQUENCE orders", "alone"),
        ("DROP SEQUENCE IF EXISTS orders CASCADE", "alone"),
    ],
)
def test_what_loses_rows_or_values_is_found(script, reach):
    assert lost(script) == Losses(tuple(Loss("orders", Reach(one)) for one in reach.split()), (), ())


@pytest.mark.parametrize(
    "script",
    [
        "",
        "SELECT 1",
        "CREATE TABLE orders (id int)",
        "ALTER TABLE orders ADD COLUMN total int",
        "ALTER TABLE orders DROP CONSTRAINT orders_check CASCADE",
        "ALTER TABLE orders ALTER COLUMN total SET NOT NULL",
        "ALTER TABLE orders RENAME TO purchases",
        "INSERT INTO orders VALUES (1)",
        "INSERT INTO orders VALUES (1) ON CONFLICT DO NOTHING",
        "DROP INDEX orders_index",
        "DROP VIEW orders_view CASCADE",
        "DROP TRIGGER t ON orders",
        "ALTER TABLE orders DISABLE TRIGGER t",
        "ALTER TYPE pair ADD ATTRIBUTE c int",
        "ALTER TYPE mood ADD VALUE 'calm'",
        "DROP FUNCTION f() CASCADE",
        "DROP MATERIALIZED VIEW orders_by_day",
        "EXPLAIN DELETE FROM orders",
        "CREATE TABLE scratch (id int); DELETE FROM scratch; DROP TABLE scratch",
    ],
)
def test_what_destroys_nothing_is_left_alone(script):
    assert lost(script) == NOTHING


def test_names_stay_as_they_are_written():
    found = lost('DROP TABLE "Sales"."Order", plain; TRUNCATE a.b')

    assert [one.table for one in found.tables] == ['"Sales"."Order"', "plain", "a.b"]


def test_a_schema_is_dropped_with_what_is_in_it():
    assert lost("DROP SCHEMA sales CASCADE") == Losses((), ("sales",), ())


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("SELECT 1;\nDO $$ BEGIN DELETE FROM orders; END $$", "001_x, line 2: DO"),
        ("CALL tidy_up()", "001_x, line 1: CALL"),
        ("SELECT tidy_up()", "001_x, line 1: a call of tidy_up()"),
        ("DROP TYPE mood CASCADE", "001_x, line 1: DROP TYPE mood"),
        ("DROP DOMAIN amount CASCADE", "001_x, line 1: DROP DOMAIN amount"),
        ("DROP EXTENSION postgis", "001_x, line 1: DROP EXTENSION postgis"),
        ("SELECT setval('numbers', 1)", "001_x, line 1: setval of a sequence"),
        ("ALTER TYPE pair DROP ATTRIBUTE b", "001_x, line 1: ALTER TYPE that drops or changes an attribute"),
        ("ALTER TYPE pair ALTER ATTRIBUTE b TYPE int", "001_x, line 1: ALTER TYPE that drops or changes an attribute"),
        ("DROP OWNED BY shop", "001_x, line 1: DROP OWNED"),
        ("DROP TABL orders", '001_x cannot be read (line 1: syntax error at or near "TABL")'),
    ],
)
def test_what_cannot_be_told_is_said_with_its_place(script, what):
    assert lost(script) == Losses((), (), (what,))


def test_one_script_that_cannot_be_read_does_not_hide_the_others():
    found = lost("DROP TABL orders", "DROP TABLE users")

    assert [one.table for one in found.tables] == ["users"]
    assert len(found.unknown) == 1


@pytest.mark.parametrize(
    "scripts",
    [
        ("ALTER TABLE orders RENAME TO purchases; DROP TABLE purchases",),
        ("ALTER TABLE orders RENAME TO purchases; ALTER TABLE purchases RENAME TO p; DROP TABLE p",),
        ("ALTER TABLE orders RENAME TO purchases", "DROP TABLE purchases"),
        ("ALTER TABLE orders SET SCHEMA attic", "DROP TABLE attic.orders"),
        ("ALTER TABLE orders RENAME TO purchases; DROP TABLE public.purchases",),
    ],
)
def test_a_renamed_table_is_told_by_the_name_it_has_before(scripts):
    assert [one.table for one in lost(*scripts).tables] == ["orders"]


def test_tables_that_swap_names_are_told_apart():
    found = lost("ALTER TABLE new RENAME TO kept; ALTER TABLE orders RENAME TO new; DROP TABLE new")

    assert [one.table for one in found.tables] == ["orders"]


def test_a_bare_name_after_another_search_path_may_be_anywhere():
    found = lost("DROP TABLE before; SET search_path = attic; DROP TABLE after; DROP TABLE a.b", "DROP TABLE next")

    assert [(one.table, one.anywhere) for one in found.tables] == [
        ("before", False),
        ("after", True),
        ("a.b", False),
        ("next", False),
    ]


def test_a_table_is_told_once_for_each_reach():
    found = lost("DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id = 2; DROP TABLE orders")

    assert [one.reach for one in found.tables] == [Reach.DELETES, Reach.ALONE]
