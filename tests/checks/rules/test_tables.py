"""Rules about tables: what goes, what is renamed or moved, partitions, and several tables at once."""

from __future__ import annotations

import pytest

from tests.checks.rules.judging import codes, findings, only

ORDERS = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);"
PEERS = ORDERS + "CREATE TABLE lines (id bigint PRIMARY KEY, order_id bigint REFERENCES orders);"
EVENTS = (
    "CREATE TABLE events (at date NOT NULL, kind text) PARTITION BY RANGE (at);"
    "CREATE TABLE e1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
)
JANUARY, MARCH = (
    "FOR VALUES FROM ('2027-01-01') TO ('2027-02-01')",
    "FOR VALUES FROM ('2027-03-01') TO ('2027-04-01')",
)
TOLD = {
    "table-dropped", "table-renamed", "object-moved", "table-truncated", "schema-dropped", "table-rewritten",
    "partition-scan", "partition-created", "partition-detach-not-concurrent", "several-tables-locked",
    "row-security-changed", "table-behaviour-changed", "table-exists-differently", "drop-cascade", "object-dropped",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "given", "expected"),
    [
        ("DROP TABLE orders", ORDERS, ["table-dropped"]),
        ("DROP TABLE orders", None, ["table-dropped"]),
        ("DROP TABLE IF EXISTS gone", ORDERS, []),
        ("CREATE TABLE t (a int); DROP TABLE t", ORDERS, []),
        ("DROP TABLE lines, orders", PEERS, ["table-dropped", "table-dropped"]),
        ("ALTER TABLE orders RENAME TO o", ORDERS, ["table-renamed"]),
        ("ALTER TABLE orders RENAME TO o", None, ["table-renamed"]),
        ("ALTER TABLE orders RENAME TO o; CREATE VIEW orders AS SELECT * FROM o", ORDERS, []),
        ("ALTER TABLE orders RENAME TO o; CREATE VIEW orders AS SELECT * FROM o", None, []),
        ("ALTER TABLE orders RENAME TO o; CREATE VIEW other AS SELECT * FROM o", ORDERS, ["table-renamed"]),
        ("CREATE TABLE n (); ALTER TABLE orders RENAME TO o; ALTER TABLE n RENAME TO orders", ORDERS, []),
        ("CREATE TABLE n (); ALTER TABLE n RENAME TO m", ORDERS, []),
        ("ALTER TABLE orders SET SCHEMA s", ORDERS + "CREATE SCHEMA s;", ["object-moved"]),
        ("ALTER TABLE orders SET SCHEMA s; CREATE VIEW orders AS TABLE s.orders", ORDERS + "CREATE SCHEMA s;", []),
        ("ALTER SCHEMA s RENAME TO r", "CREATE SCHEMA s;", ["object-moved"]),
        ("TRUNCATE orders", ORDERS, ["table-truncated"]),
        ("CREATE TABLE t (a int); TRUNCATE t", ORDERS, []),
        ("DROP SCHEMA s", "CREATE SCHEMA s;", []),
        ("DROP SCHEMA s CASCADE", "CREATE SCHEMA s; CREATE TABLE s.t (a int);", ["schema-dropped"]),
        ("DROP SCHEMA s", None, ["schema-dropped"]),
        ("DROP OWNED BY someone", ORDERS, ["schema-dropped"]),
        ("DROP DATABASE shop", ORDERS, ["schema-dropped"]),
        ("ALTER TABLE orders SET UNLOGGED", ORDERS, ["table-rewritten"]),
        ("ALTER TABLE orders SET LOGGED", ORDERS, []),
        ("ALTER TABLE orders SET TABLESPACE fast", ORDERS, ["table-rewritten"]),
        ("CLUSTER orders USING orders_pkey", ORDERS, ["table-rewritten"]),
        ("VACUUM FULL orders", ORDERS, ["table-rewritten"]),
        ("VACUUM orders", ORDERS, []),
        ("CREATE TABLE t (a int); ALTER TABLE t SET UNLOGGED", ORDERS, []),
        ("ALTER TABLE orders ENABLE ROW LEVEL SECURITY", ORDERS, ["row-security-changed"]),
        ("CREATE POLICY p ON orders USING (true)", ORDERS, ["row-security-changed"]),
        ("DROP POLICY p ON orders", None, ["row-security-changed"]),
        ("CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t", ORDERS, []),
        ("CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING", ORDERS, ["table-behaviour-changed"]),
        ("DROP VIEW v", ORDERS + "CREATE VIEW v AS SELECT 1 AS a;", ["object-dropped"]),
        ("DROP VIEW v; CREATE VIEW v AS SELECT 2 AS b", ORDERS + "CREATE VIEW v AS SELECT 1 AS a;", []),
        ("DROP VIEW IF EXISTS gone", ORDERS, []),
        ("DROP FUNCTION f", None, ["object-dropped"]),
        ("DROP TYPE IF EXISTS gone", ORDERS, []),
        ("DROP VIEW v CASCADE", None, ["drop-cascade"]),
        ("DROP TRIGGER t ON orders CASCADE", None, []),
        ("CREATE TABLE p PARTITION OF events " + JANUARY, EVENTS, ["partition-created"]),
        ("ALTER TABLE events DETACH PARTITION e1", EVENTS, ["partition-detach-not-concurrent"]),
        ("ALTER TABLE events DETACH PARTITION e1 CONCURRENTLY", EVENTS, []),
        ("CREATE TABLE t (LIKE events); ALTER TABLE events ATTACH PARTITION t " + JANUARY, EVENTS, []),
    ],
)  # fmt: skip
def test_what_is_found_about_tables(sql, given, expected):
    assert [code for code in codes(sql, given) if code in TOLD] == expected


def test_the_other_tables_that_a_drop_or_truncate_reaches_are_named():
    dropped = only("table-dropped", "DROP TABLE lines", PEERS)
    emptied = only("table-truncated", "TRUNCATE orders CASCADE", PEERS)

    assert "orders" in dropped.message
    assert "lines" in emptied.message


def test_a_view_in_the_place_of_a_table_is_suggested_with_the_names_of_both():
    given = 'CREATE SCHEMA "S"; CREATE TABLE "S"."Order" (id bigint);'

    rewrite = only("table-renamed", 'ALTER TABLE "S"."Order" RENAME TO purchases', given).rewrite

    assert 'ALTER TABLE "S"."Order" RENAME TO purchases;' in rewrite
    assert 'CREATE VIEW "S"."Order" AS SELECT * FROM "S".purchases;' in rewrite


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("ALTER TABLE orders ADD a int; ALTER TABLE users ADD a int", True),
        ("ALTER TABLE orders ADD a int, ADD b int", False),
        ("ALTER TABLE orders ADD a int; ALTER TABLE orders ADD b int", False),
        ("ALTER TABLE orders ADD a int; CREATE TABLE t (a int); ALTER TABLE t ADD b int", False),
        ("ALTER TABLE orders ADD user_id bigint; CREATE INDEX i ON users (id)", False),
        ("ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES users NOT VALID", False),
        ("ALTER TABLE orders RENAME TO o; ALTER TABLE o ADD a int", False),
        ("DROP TABLE orders, users", True),
        ("ALTER TABLE numbered ADD a int; ALTER SEQUENCE numbered_id_seq AS bigint", False),
        ("ALTER TABLE events DETACH PARTITION e1", False),
        ("ALTER TABLE orders ADD a int; UPDATE users SET id = 1 WHERE id = 2", False),
        ("ALTER TABLE orders DISABLE TRIGGER t; ALTER TABLE users DISABLE TRIGGER t", True),
    ],
)
def test_several_tables_are_locked_only_when_they_are_not_one_thing(sql, is_found):
    given = ORDERS + EVENTS + "CREATE TABLE users (id bigint PRIMARY KEY);"
    given += "CREATE TABLE numbered (id serial PRIMARY KEY);"

    assert ("several-tables-locked" in codes(sql, given)) is is_found
    assert codes(sql, given).count("several-tables-locked") <= 1


def test_a_table_that_is_there_with_other_columns_is_told_with_what_it_lacks():
    sql = "CREATE TABLE IF NOT EXISTS orders (id bigint, note text, total numeric(10, 2))"

    assert (
        only("table-exists-differently", sql, ORDERS).rewrite == "ALTER TABLE orders ADD COLUMN total numeric(10, 2);"
    )
    assert "table-exists-differently" not in codes("CREATE TABLE IF NOT EXISTS orders (id bigint)", ORDERS)
    assert "table-exists-differently" not in codes(sql, None)


def test_what_cascade_takes_along_is_named_as_far_as_it_is_known():
    given = ORDERS + "CREATE VIEW a AS SELECT id FROM orders; CREATE VIEW b AS SELECT id FROM a;"
    given += "CREATE TYPE s AS ENUM ('x'); CREATE TABLE t (id int, state s);"

    assert "view b" in only("drop-cascade", "DROP VIEW a CASCADE", given).message
    assert "column state of t" in only("drop-cascade", "DROP TYPE s CASCADE", given).message
    assert "whatever depends on it" in only("drop-cascade", "DROP FUNCTION f CASCADE", None).message


def test_a_partition_whose_check_says_the_same_is_not_found_in_the_server_s_own_words_either():
    attach = "ALTER TABLE events ATTACH PARTITION p " + MARCH
    check = "CREATE TABLE p (at date NOT NULL, kind text, CHECK ({}));"
    ours = check.format("at >= '2027-03-01' AND at < '2027-04-01'")
    servers = check.format("((at >= '2027-03-01'::date) AND (at < '2027-04-01'::date))")
    other = check.format("at >= '2027-03-01' AND at < '2028-04-01'")

    assert "partition-scan" not in codes(attach, EVENTS + ours)
    assert "partition-scan" not in codes(attach, EVENTS + servers)
    assert "partition-scan" in codes(attach, EVENTS + other)
    assert "partition-scan" in codes(attach, EVENTS + "CREATE TABLE p (at date NOT NULL, kind text);")


def test_the_default_partition_is_proven_empty_of_what_the_new_one_takes():
    given = EVENTS + "CREATE TABLE rest PARTITION OF events DEFAULT;"

    found = only("partition-scan", "CREATE TABLE p PARTITION OF events " + MARCH, given)

    assert "reads all of rest" in found.message
    assert "CHECK (NOT (at >= '2027-03-01' AND at < '2027-04-01')) NOT VALID" in found.rewrite
    assert (
        "CONCURRENTLY"
        not in only("partition-detach-not-concurrent", "ALTER TABLE events DETACH PARTITION e1", given).rewrite
    )


def test_matters_of_taste_are_told_only_on_request():
    bare = "CREATE TABLE t (a bool, b bigint, c bool, d bigint, e text)"
    keyed = "CREATE TABLE t (b bigint PRIMARY KEY, d bigint, a bool, c bool, e text)"
    later = "CREATE TABLE t (b bigint); ALTER TABLE t ADD PRIMARY KEY (b)"

    assert findings(bare, ORDERS) == []
    assert codes(bare, ORDERS, style=True)[:2] == ["column-order-padding", "name-without-schema"]
    assert "table-without-primary-key" in codes(bare, ORDERS, style=True)
    assert not {"column-order-padding", "table-without-primary-key"} & {*codes(keyed, ORDERS, style=True)}
    assert "table-without-primary-key" not in codes(later, ORDERS, style=True)
    assert "14 bytes" in only("column-order-padding", bare, ORDERS).message
