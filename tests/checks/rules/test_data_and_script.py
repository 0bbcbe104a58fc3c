"""Rules about rows, and about a script as a whole: what is held, what is not known, what the server refuses."""

from __future__ import annotations

import pytest

from checks.report import judge
from tests.checks.rules.judging import codes, findings, only, world

ORDERS = "CREATE TABLE orders (id bigint PRIMARY KEY, a int, b int, status text);"
USERS = "CREATE TABLE users (id bigint PRIMARY KEY, n int);"
ADD = "ALTER TABLE orders ADD COLUMN note text;"


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("UPDATE orders SET status = 'x' WHERE id = 1", True),
        ("DELETE FROM orders WHERE id = 1", True),
        ("INSERT INTO orders VALUES (1) ON CONFLICT (id) DO UPDATE SET status = 'x'", True),
        ("MERGE INTO orders USING users ON orders.id = users.id WHEN MATCHED THEN DELETE", True),
        ("UPDATE orders SET status = 'x' WHERE status IS NULL", False),
        ("UPDATE orders SET status = 'x' WHERE id < 100 AND status IS NULL", False),
        ("UPDATE orders SET status = 'x' WHERE id < 100 OR status IS NULL", True),
        ("UPDATE orders SET status = 'x', a = 1 WHERE status IS NULL", True),
        ("UPDATE orders SET a = 1 WHERE id IN (SELECT id FROM orders WHERE a IS NULL LIMIT 9)", False),
        ("UPDATE orders SET a = 1 WHERE id IN (SELECT id FROM users WHERE n IS NULL)", True),
        ("INSERT INTO orders VALUES (1)", False),
        ("CREATE TABLE old AS SELECT * FROM orders; UPDATE orders SET status = 'x' WHERE id = 1", False),
        ("CREATE TABLE t (a int); UPDATE t SET a = 1 WHERE a = 2", False),
        ("UPDATE orders SET status = 'x'", False),  # data-change-without-where says so
    ],
)
def test_old_values_are_lost_only_where_nothing_keeps_them(sql, is_found):
    assert ("data-overwritten" in codes(sql, ORDERS + USERS)) is is_found


def test_the_copy_that_is_suggested_holds_the_rows_that_change_and_keeps_their_alias():
    plain = only("data-overwritten", "DELETE FROM orders WHERE id = 1", ORDERS).rewrite
    alias = only("data-overwritten", "UPDATE orders o SET a = 1 WHERE o.id = 1", ORDERS).rewrite

    assert "CREATE TABLE orders_before AS SELECT * FROM orders WHERE id = 1;\nDELETE FROM orders" in plain
    assert "SELECT * FROM orders AS o WHERE o.id = 1;" in alias
    assert only("data-overwritten", "DELETE FROM orders USING users WHERE users.id = orders.id", ORDERS).rewrite == ""


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("INSERT INTO users SELECT id, 1 FROM orders", True),
        ("CREATE TABLE c AS SELECT * FROM orders", True),
        ("INSERT INTO users VALUES (1, 2)", False),
        ("CREATE TABLE c AS SELECT 1 AS a", False),
        ("CREATE TABLE t (a int); INSERT INTO users SELECT a, 1 FROM t", False),
    ],
)
def test_a_copy_of_rows_is_told(sql, is_found):
    assert ("rows-copied" in codes(sql, ORDERS + USERS)) is is_found


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("LOCK TABLE orders", "takes ACCESS EXCLUSIVE: nobody can read or write orders until"),
        ("LOCK TABLE orders, users IN SHARE MODE", "takes SHARE: nobody can write to orders or users until"),
        ("LOCK TABLE orders IN ROW EXCLUSIVE MODE", ""),
        ("CREATE TABLE t (a int); LOCK TABLE t", ""),
    ],
)
def test_a_lock_by_hand_is_told_with_who_waits(sql, words):
    told = [one.message for one in findings(sql, ORDERS + USERS) if one.code == "table-locked"]

    assert [words in one for one in told] == ([True] if words else [])


@pytest.mark.parametrize(
    "sql",
    ["DO $$ BEGIN END $$", "CALL p()", "SELECT own()", "EXECUTE x", "COPY orders TO '/x'"],
)
def test_what_cannot_be_analysed_is_told_once_for_each_statement(sql):
    assert codes(sql, ORDERS).count("not-analysed") == 1
    assert codes(f"{sql};{sql}", ORDERS).count("not-analysed") == 2


def test_triggers_that_a_change_runs_are_a_note_and_not_a_warning():
    given = ORDERS + (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f();"
    )

    found = only("triggers-not-analysed", "UPDATE orders SET a = 1 WHERE a IS NULL", given)

    assert "the trigger t of orders" in found.message
    assert "not-analysed" not in codes("UPDATE orders SET a = 1 WHERE a IS NULL", given)
    assert "triggers-not-analysed" not in codes("SELECT count(*) FROM orders", given)


def test_what_is_known_is_not_called_unknown():
    for sql in (
        "SELECT now()",
        ADD,
        "COMMENT ON TABLE orders IS 'x'",
        "CREATE ROLE r",
        "GRANT SELECT ON orders TO r",
        "SET LOCAL work_mem = '1GB'",
        "VACUUM orders",
        "CREATE SEQUENCE s",
        "DELETE FROM orders WHERE id = 1",
    ):
        assert "not-analysed" not in codes(sql, ORDERS), sql


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (ADD + "UPDATE users SET n = 1 WHERE n IS NULL", "UPDATE changes rows of users while ALTER TABLE of line 1"),
        (ADD + "UPDATE orders SET note = '' WHERE note IS NULL", "UPDATE changes rows of orders"),
        (ADD + "CREATE INDEX i ON users (n)", "CREATE INDEX does its index build of users"),
        (ADD + "CREATE INDEX i ON orders (a)", "nobody can read or write orders"),
        (ADD + "DO $$ BEGIN END $$", "whose time is not known"),
        (ADD + "INSERT INTO users SELECT id FROM orders", "copies rows of orders"),
        (ADD + "ALTER TABLE users ALTER COLUMN n SET NOT NULL", "ALTER TABLE does its full scan of users"),
        ("CREATE TRIGGER t AFTER INSERT ON orders EXECUTE FUNCTION f(); UPDATE users SET n = 1 WHERE n = 2",
         "SHARE ROW EXCLUSIVE: nobody can write to orders"),
        ("ALTER TABLE orders RENAME TO o; UPDATE users SET n = 1 WHERE n = 2", "UPDATE changes rows of users"),
        (ADD + "ALTER TABLE orders ALTER COLUMN a SET NOT NULL", ""),  # it blocks as much by itself
        (ADD + "ALTER TABLE orders ADD COLUMN c int", ""),
        ("UPDATE users SET n = 1 WHERE n = 2;" + ADD, ""),
        ("CREATE TABLE t (a int); ALTER TABLE t ADD b int; UPDATE users SET n = 1 WHERE n = 2", ""),
        (ADD + "CREATE TABLE t (a int); INSERT INTO t VALUES (1); UPDATE t SET a = 2", ""),
        (ADD + "INSERT INTO users VALUES (1, 2)", ""),
        ("CREATE INDEX CONCURRENTLY i ON orders (a); UPDATE users SET n = 1 WHERE n = 2", ""),
    ],
)  # fmt: skip
def test_slow_work_is_told_while_a_lock_is_held_that_stops_more_than_the_work(sql, words):
    told = [one.message for one in findings(sql, ORDERS + USERS) if one.code == "statement-after-exclusive-lock"]

    assert [words in one for one in told] == ([True] if words else [])


def test_without_one_transaction_nothing_is_held():
    sql = ADD + "UPDATE users SET n = 1 WHERE n IS NULL; ALTER TABLE users ADD COLUMN b int"
    told = {one.code for one in judge(sql, world=world(ORDERS + USERS, wraps=False)).findings}

    assert not told & {"statement-after-exclusive-lock", "several-tables-locked"}


def test_slow_work_is_told_once_with_the_rest_counted_and_the_files_divided_before_it():
    sql = ADD + "UPDATE users SET n = 1 WHERE n = 2; DELETE FROM users WHERE n = 3"

    found = only("statement-after-exclusive-lock", sql, ORDERS + USERS)

    assert "1 more slow statement follows." in found.message
    assert found.rewrite.index("ALTER TABLE") < found.rewrite.index("-- file 2") < found.rewrite.index("UPDATE")


def test_passes_through_one_table_are_merged():
    sql = "ALTER TABLE orders ALTER a SET NOT NULL; ALTER TABLE orders ALTER b SET NOT NULL;"
    cheap = "ALTER TABLE orders ALTER a SET DEFAULT 1; ALTER TABLE orders ALTER b SET NOT NULL;"

    merged = only("table-scanned-repeatedly", sql, ORDERS).rewrite

    assert merged == "ALTER TABLE orders\n  ALTER COLUMN a SET NOT NULL,\n  ALTER COLUMN b SET NOT NULL;"
    assert "table-scanned-repeatedly" not in codes(cheap, ORDERS)


def test_a_statement_that_the_server_refuses_is_told_only_when_the_schema_is_known():
    wrong = "ALTER TABLE orders ALTER COLUMN gone SET DEFAULT 1"

    assert "statement-will-fail" in codes(wrong, ORDERS)
    assert "statement-will-fail" not in codes(wrong, None)
    assert "statement-will-fail" not in codes(wrong, ORDERS + "DO $$ BEGIN END $$;")
    parted = "CREATE TABLE parted (a int) PARTITION BY RANGE (a);"
    assert "statement-will-fail" in codes("CREATE INDEX CONCURRENTLY i ON parted (a)", parted)
    assert "statement-will-fail" not in codes(
        "CREATE INDEX CONCURRENTLY i ON parted (a)", f"{parted} DO $$ BEGIN END $$;"
    )
    # What comes after it does not run.
    assert codes(f"{wrong};{wrong}", ORDERS).count("statement-will-fail") == 1


@pytest.mark.parametrize(
    ("sql", "since"),
    [
        ("ALTER TABLE t ADD CONSTRAINT c NOT NULL a", 18),
        ("CREATE TABLE n (a int, b int GENERATED ALWAYS AS (a) VIRTUAL)", 18),
        ("CREATE TABLE n (a int CHECK (a > 0) NOT ENFORCED)", 18),
        ("ALTER TABLE t ADD CHECK (a > 0) NOT ENFORCED", 18),
        ("ALTER TABLE t ALTER COLUMN a SET EXPRESSION AS (b)", 17),
        ("MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED BY SOURCE THEN DELETE", 17),
        ("CREATE STATISTICS ON a, b FROM t", 16),
        ("CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT", 15),
        ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", 15),
        ("ALTER TABLE t SET ACCESS METHOD heap", 15),
        ("CREATE VIEW v WITH (security_invoker = true) AS SELECT 1 AS a", 15),
        ("DELETE FROM t RETURNING old.a", 18),
        ("ALTER TABLE t ALTER COLUMN a SET STATISTICS DEFAULT", 17),
        ("CREATE TABLE n (a text STORAGE external)", 16),
        ("CREATE UNLOGGED SEQUENCE q", 15),
        ("ALTER TABLE t ALTER COLUMN a SET STATISTICS 100", 14),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", 14),
        ("CREATE TABLE n (a int NOT NULL CHECK (a > 0) REFERENCES t, b int GENERATED ALWAYS AS (a) STORED)", 14),
        ("UPDATE t SET a = 1 WHERE a = 2 RETURNING a", 14),
    ],
)
def test_syntax_is_refused_on_servers_older_than_it(sql, since):
    for version in range(14, 19):
        assert ("syntax-newer-than-server" in codes(sql, None, version)) is (version < since)


def test_names_are_counted_in_bytes_and_found_at_their_place():
    found = only("identifier-too-long", f'SELECT 1;\nCREATE TABLE "{"é" * 32}" (a int)')

    assert (found.line, found.column) == (2, 14)
    assert found.message.endswith(f"takes it for {'é' * 31}.")
    assert "identifier-too-long" not in codes(f"CREATE TABLE {'a' * 63} (a int); SELECT '{'b' * 99}' -- {'c' * 99}")
    assert "identifier-too-long" in codes(f"CREATE TABLE {'a' * 64} (a int)")


def test_what_cannot_be_run_twice_outside_a_transaction_is_told():
    assert "not-re-runnable" in codes("CREATE DATABASE d")
    assert "not-re-runnable" in codes("ALTER TABLE t DETACH PARTITION p CONCURRENTLY")
    assert "not-re-runnable" not in codes("DROP DATABASE IF EXISTS d")
    assert "not-re-runnable" not in codes("CREATE INDEX CONCURRENTLY i ON t (a)")


def test_names_are_a_matter_of_taste():
    sql = 'ALTER TABLE public.orders ADD COLUMN "Total" int; CREATE INDEX i ON orders (a)'

    assert not {"name-needs-quotes", "name-without-schema"} & {*codes(sql, ORDERS)}
    assert [code for code in codes(sql, ORDERS, style=True) if code.startswith("name-")] == [
        "name-needs-quotes",
        "name-without-schema",
    ]
