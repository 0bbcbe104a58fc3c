"""The class of a script where sizes and traffic are known: what is small, proven or new is told from the rest."""

from dataclasses import replace

import pytest

from checks.durations import Rates
from checks.model import Traffic
from checks.report import judge
from checks.risk import Limits, Risk
from tests.checks.worlds import GB, MB, world

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE users (id int PRIMARY KEY, name text, code varchar(10));
CREATE TABLE shops (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id), total numeric(12,2), note text,
    CONSTRAINT note_there CHECK (note IS NOT NULL));
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (2);
"""
SMALL, MIDDLE, LARGE = 2 * MB, 300 * MB, 8 * GB


def classified(sql: str, size: int | None = MIDDLE, *, rows: int | None = None, traffic: Traffic | None = None):
    return judge(sql, world=world(TABLES, size=size, rows=rows, traffic=traffic)).classified


@pytest.mark.parametrize(
    ("sql", "small", "middle", "large"),
    [
        ("CREATE INDEX i ON users (name)", Risk.SAFE, Risk.CONTROLLED, Risk.HIGH),
        ("CREATE UNIQUE INDEX i ON users (name)", Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH),
        ("ALTER TABLE users ALTER name SET NOT NULL", Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH),
        ("ALTER TABLE users ADD CHECK (name <> '')", Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH),
        ("ALTER TABLE users ADD COLUMN u uuid DEFAULT gen_random_uuid()", Risk.CONTROLLED, Risk.HIGH, Risk.HIGH),
        ("ALTER TABLE users ALTER code TYPE int USING 1", Risk.CONTROLLED, Risk.HIGH, Risk.HIGH),
        ("REINDEX TABLE users", Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH),
    ],
)
def test_the_class_rises_with_the_size(sql, small, middle, large):
    assert [classified(sql, size).risk for size in (SMALL, MIDDLE, LARGE)] == [small, middle, large]
    assert classified(sql, None).risk is Risk.HIGH


@pytest.mark.parametrize(
    ("sql", "risk"),
    [
        # Only the catalogue changes, whatever the size.
        ("ALTER TABLE users ALTER code TYPE varchar(20)", Risk.CONTROLLED),
        ("ALTER TABLE orders ALTER note SET NOT NULL", Risk.CONTROLLED),
        ("ALTER TABLE users ADD COLUMN m mood", Risk.SAFE),
        ("ALTER TABLE users ADD COLUMN m text DEFAULT 'x'", Risk.SAFE),
        ("ALTER TABLE users ADD CONSTRAINT k CHECK (name <> '') NOT VALID", Risk.SAFE),
        ("CREATE INDEX CONCURRENTLY i ON users (name)", Risk.SAFE),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON users (name)", Risk.CONTROLLED),
        ("CREATE VIEW v AS SELECT * FROM users", Risk.SAFE),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM users", Risk.CONTROLLED),
        ("ALTER TABLE orders VALIDATE CONSTRAINT note_there", Risk.SAFE),
        # What the script has made itself blocks nobody.
        ("CREATE TABLE n (id int); CREATE INDEX i ON n (id); ALTER TABLE n ALTER id TYPE bigint", Risk.SAFE),
        ("CREATE TABLE n (id int REFERENCES users (id))", Risk.SAFE),
        # A rewrite under a domain's condition is none under an enum.
        ("ALTER TABLE users ADD COLUMN p positive", Risk.HIGH),
    ],
)
def test_what_is_done_in_a_moment_is_not_raised_on_a_large_table(sql, risk):
    assert classified(sql, LARGE).risk is risk


@pytest.mark.parametrize(
    ("sql", "risk"),
    [
        ("ALTER TABLE users ADD a int; ALTER TABLE shops ADD a int", Risk.HIGH),
        ("DROP TABLE orders, shops", Risk.HIGH),
        ("ALTER TABLE users ADD a int; INSERT INTO shops VALUES (9, 'x')", Risk.HIGH),
        # The two tables of a foreign key are one.
        ("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey", Risk.CONTROLLED),
        ("ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES shops (id) NOT VALID", Risk.SAFE),
        # A second one is not.
        (
            (
                "ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES shops (id) NOT VALID,"
                " ADD CONSTRAINT l FOREIGN KEY (id) REFERENCES users (id) NOT VALID"
            ),
            Risk.HIGH,
        ),
        # Tables that a new one refers to are locked without any work.
        ("CREATE TABLE n (u int REFERENCES users (id), s int REFERENCES shops (id))", Risk.CONTROLLED),
        # A table and its partitions are one.
        ("ALTER TABLE parts ADD a int", Risk.SAFE),
        ("ALTER TABLE users RENAME TO people; ALTER TABLE people ADD a int", Risk.CONTROLLED),
        ("CREATE INDEX CONCURRENTLY i ON users (id); CREATE INDEX CONCURRENTLY j ON shops (name)", Risk.SAFE),
    ],
)
def test_several_tables_in_one_transaction(sql, risk):
    assert classified(sql, SMALL).risk is risk


def test_a_type_that_values_can_break_is_not_taken_for_one_that_they_cannot():
    assert classified("ALTER TABLE users ADD COLUMN m mood", SMALL).risk is Risk.SAFE
    assert classified("ALTER TABLE users ADD COLUMN p positive", SMALL).risk is Risk.CONTROLLED


def test_the_tables_are_named():
    (reason,) = classified("ALTER TABLE users ADD a int; ALTER TABLE shops ADD a int", SMALL).reasons

    assert reason == "changes or locks several existing tables in one transaction: users and shops"


def test_slow_work_while_an_earlier_lock_is_kept_is_told_with_both_lines():
    found = classified("ALTER TABLE users ADD a int;\nALTER TABLE users ALTER name SET NOT NULL", 9 * GB)

    assert found.risk is Risk.HIGH
    assert found.reasons == (
        (
            "line 1: ALTER TABLE: nobody reads or writes users for 6 s to 30 s: "
            "the lock stays while line 2, ALTER TABLE, works"
        ),
        "line 2: ALTER TABLE reads 9.0 GB of users: nobody reads or writes it for 6 s to 30 s",
    )


def test_a_change_of_rows_under_a_lock_counts_as_slow_work():
    sql = "ALTER TABLE users ADD a int; UPDATE users SET a = 1 WHERE id = 7"

    assert classified(sql, SMALL, rows=1_000).risk is Risk.CONTROLLED
    assert classified(sql, SMALL, rows=1_000_000).risk is Risk.HIGH
    assert classified(sql, SMALL, rows=None).risk is Risk.HIGH
    assert classified("UPDATE users SET name = '' WHERE id = 7", SMALL, rows=1_000_000).risk is Risk.CONTROLLED


def test_every_row_of_a_small_table_may_be_changed():
    assert classified("DELETE FROM users", rows=500).risk is Risk.CONTROLLED
    assert "about 500" in classified("DELETE FROM users", rows=500).reasons[0]
    assert classified("DELETE FROM users", rows=500_000).risk is Risk.HIGH
    assert classified("DELETE FROM users").risk is Risk.HIGH


def test_who_would_wait_raises_the_class():
    quick = 10 * MB  # a scan of 33 ms on a slow server
    sql = "ALTER TABLE users ADD CHECK (name <> '')"

    assert classified("CREATE INDEX i ON users (name)", quick).risk is Risk.SAFE
    assert classified("CREATE INDEX i ON users (name)", quick, traffic=Traffic(9000, 400)).risk is Risk.CONTROLLED
    assert classified(sql, quick, traffic=Traffic(100, 10)).risk is Risk.CONTROLLED
    assert classified(sql, quick, traffic=Traffic(9_000, 100)).risk is Risk.HIGH
    # Who only reads does not wait for an index.
    assert classified("CREATE INDEX i ON users (name)", quick, traffic=Traffic(9000, 1)).risk is Risk.SAFE


def test_the_type_of_a_key_is_high_risk_however_small():
    assert classified("ALTER TABLE users ALTER id TYPE bigint", SMALL).risk is Risk.HIGH
    assert "both of its tables" in classified("ALTER TABLE orders ALTER user_id TYPE bigint", SMALL).reasons[0]


def test_a_rename_behind_a_view_is_safe_and_without_one_it_is_not():
    table = "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people"
    column = (
        "ALTER TABLE users RENAME TO users_base; ALTER TABLE users_base RENAME name TO title;"
        "CREATE VIEW users AS SELECT *, title AS name FROM users_base"
    )

    assert classified(table, LARGE).risk is Risk.SAFE
    assert classified(column, LARGE).risk is Risk.SAFE
    assert "behind a view that keeps the old name" in " ".join(classified(column).reasons)
    for broken in (
        "ALTER TABLE users RENAME TO people",
        table.replace("SELECT *", "SELECT id"),
        table + "; DROP VIEW users",
        column.replace(", title AS name", ""),
        column.replace("title AS name", "code AS name"),
        column + " WHERE id > 5",
        column + " LIMIT 3",
        table + "; CREATE INDEX CONCURRENTLY i ON shops (name)",  # the moment in between would be seen
    ):
        assert classified(broken, SMALL).risk is Risk.CONTROLLED, broken


def test_what_could_not_be_analysed_or_will_be_refused_is_never_safe():
    fails = classified("ALTER TABLE nowhere ADD COLUMN a int")

    assert fails.risk is Risk.CONTROLLED
    assert "the server will refuse it" in fails.reasons[0]
    assert classified("DO $$ BEGIN NULL; END $$").risk is Risk.HIGH


def test_rates_and_limits_can_be_replaced():
    given = world(TABLES, size=MIDDLE)
    sql = "CREATE INDEX i ON users (name)"

    assert judge(sql, world=replace(given, rates=Rates(build=10_000_000))).classified.risk is Risk.HIGH
    assert Limits(high_seconds=3).of(4, None) is Risk.HIGH
    assert Limits().of(None, None) is Risk.HIGH
    assert [Limits().of(seconds, None) for seconds in (0.9, 1, 10, 10.1)] == [
        Risk.SAFE, Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH,
    ]  # fmt: skip
    assert [Limits().of(0, waiting) for waiting in (20, 21, 100, 101)] == [
        Risk.SAFE, Risk.CONTROLLED, Risk.CONTROLLED, Risk.HIGH,
    ]  # fmt: skip
