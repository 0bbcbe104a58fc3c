"""What is found about columns beyond the examples of the rules: one danger, one finding; nothing for what is free."""

from __future__ import annotations

import pytest

from checks.examples import files_of
from tests.checks.rules.judging import codes, findings, only

SHOP = """
CREATE TYPE mood AS ENUM ('good');
CREATE DOMAIN plain AS int;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION stable_one() RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN RETURN 1; END$$;
CREATE FUNCTION next_one() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; END$$;
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int REFERENCES customers (id), pieces int NOT NULL DEFAULT 1 CHECK (pieces > 0),
    total numeric(10, 2), note varchar(20), placed_at timestamp, mood mood
);
CREATE INDEX orders_note_idx ON orders (note);
CREATE TABLE events (id int, kind int) PARTITION BY RANGE (kind);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
"""
ONE_FINDING = {
    "ADD COLUMN a uuid DEFAULT gen_random_uuid()": "column-default-volatile",
    "ADD COLUMN a int NOT NULL DEFAULT next_one() UNIQUE CHECK (a > 0)": "column-default-volatile",
    "ADD COLUMN a bigserial UNIQUE": "column-numbered",
    "ADD COLUMN a int GENERATED ALWAYS AS IDENTITY CHECK (a > 0)": "column-numbered",
    "ADD COLUMN a int GENERATED ALWAYS AS (pieces * 2) STORED NOT NULL": "column-generated-stored",
    "ADD COLUMN a positive": "column-of-constrained-domain",
    "ADD COLUMN a positive DEFAULT 1": "column-of-constrained-domain",
    "ADD COLUMN a text NOT NULL UNIQUE": "column-not-null-without-default",
    "ADD COLUMN a text UNIQUE CHECK (a > '')": "column-added-with-index",
    "ADD COLUMN a text DEFAULT 'x' CHECK (a > '')": "column-added-with-check",
    "ADD COLUMN a int DEFAULT 1 REFERENCES customers (id)": "column-added-with-reference",
    "ALTER total TYPE numeric(8, 2)": "column-type-change",
    "ALTER note TYPE varchar(5)": "column-type-change",
    "ALTER pieces TYPE int": "column-type-change",  # the CHECK is tried again
    'ALTER note TYPE text COLLATE "C"': "column-type-change",  # the index has another order
    "ALTER placed_at TYPE timestamptz USING placed_at AT TIME ZONE 'Europe/Berlin'": "column-type-change",
    "ALTER placed_at TYPE timestamptz": "column-type-time-zone",
    "ALTER customer_id TYPE bigint": "key-type-change",
    "ALTER pieces DROP DEFAULT": "default-dropped",
    "ALTER total SET NOT NULL": "set-not-null-scan",
    "DROP COLUMN total": "column-dropped",
    "RENAME total TO amount": "column-renamed",
}  # fmt: skip
FREE = (
    "ADD COLUMN a int",
    "ADD COLUMN a int NOT NULL DEFAULT 1",
    "ADD COLUMN a timestamptz DEFAULT now()",
    "ADD COLUMN a int DEFAULT stable_one()",
    "ADD COLUMN a mood DEFAULT 'good'",
    "ADD COLUMN a plain",
    "ADD COLUMN IF NOT EXISTS total numeric NOT NULL",
    "ALTER total TYPE numeric(12, 2)",
    "ALTER total TYPE numeric",
    "ALTER note TYPE varchar(40)",
    "ALTER note TYPE text",
    "ALTER total SET DEFAULT 0",
    "ALTER total DROP DEFAULT",
    "ALTER pieces SET NOT NULL",
)


def warnings(sql: str, given: str | None = SHOP, version: int = 16) -> list[str]:
    return [one.code for one in findings(sql, given, version) if one.severity != "note"]


def test_each_danger_is_one_finding_and_its_own():
    found = {command: warnings(f"ALTER TABLE orders {command}") for command in ONE_FINDING}

    assert found == {command: [code] for command, code in ONE_FINDING.items()}


def test_what_only_changes_the_catalogue_is_not_found():
    found = {command: warnings(f"ALTER TABLE orders {command}") for command in FREE}

    assert found == {command: [] for command in FREE}


def test_a_table_that_the_script_made_is_free_whatever_is_done_to_it():
    make = "CREATE TABLE fresh (LIKE orders INCLUDING DEFAULTS);"

    found = {one: warnings(f"{make} ALTER TABLE fresh {one}") for one in ONE_FINDING if "customer" not in one}

    assert found == {command: [] for command in found}


def test_of_many_commands_in_one_statement_only_the_one_to_blame_is_found():
    commands = ("ADD COLUMN a text DEFAULT 'x'", "ADD COLUMN b uuid DEFAULT gen_random_uuid()", "ALTER note TYPE text")
    sql = "ALTER TABLE orders\n" + ",\n".join(commands)

    (found,) = findings(sql, SHOP)

    assert (found.code, found.line) == ("column-default-volatile", 3)


def test_a_column_is_proven_to_hold_no_null_only_by_a_valid_check_of_that_column():
    added = "ALTER TABLE orders ADD CONSTRAINT c CHECK (total IS NOT NULL) NOT VALID;"
    validated = f"{added} ALTER TABLE orders VALIDATE CONSTRAINT c;"

    assert warnings("ALTER TABLE orders ALTER total SET NOT NULL", SHOP + validated) == []
    assert warnings("ALTER TABLE orders ALTER note SET NOT NULL", SHOP + validated) == ["set-not-null-scan"]
    found = only("set-not-null-scan", "ALTER TABLE orders ALTER total SET NOT NULL", SHOP + added)
    assert found.rewrite.startswith("-- file 1\nALTER TABLE orders VALIDATE CONSTRAINT c;\n-- file 2")


def test_what_is_not_known_is_assumed_and_said():
    assert "may rewrite" in only("column-type-change", "ALTER TABLE t ALTER a TYPE text").message
    assert "the type it has now is not known" in only("column-type-change", "ALTER TABLE t ALTER a TYPE text").message
    assert "is not known here" in only("column-default-volatile", "ALTER TABLE t ADD a int DEFAULT f()").message
    assert "is not known here" in only("column-of-constrained-domain", "ALTER TABLE t ADD a some_type").message
    assert only("default-dropped", "ALTER TABLE t ALTER a DROP DEFAULT").message.startswith("If a is NOT NULL, ")
    assert codes("ALTER TABLE t ALTER a SET NOT NULL") == ["set-not-null-scan"]


def test_the_message_names_everybody_who_waits_partitions_and_the_other_table_too():
    on_partitioned = only("set-not-null-scan", "ALTER TABLE events ALTER id SET NOT NULL", SHOP)
    on_key = only("key-type-change", "ALTER TABLE customers ALTER id TYPE bigint", SHOP)
    dropped = only("column-dropped", "ALTER TABLE orders DROP COLUMN customer_id", SHOP)

    assert "nobody can read or write events or events_1" in on_partitioned.message
    assert "nobody can read or write customers or orders" in on_key.message
    assert "nobody can read or write customers" in dropped.message


@pytest.mark.parametrize("version", [14, 18])
def test_names_of_a_suggestion_are_quoted_qualified_and_at_most_63_bytes_long(version):
    column = "Überlange Spalte mit vielen Umlauten äöüäöüäöü"
    given = f'CREATE SCHEMA "Sales"; CREATE TABLE "Sales"."Order" (id bigint PRIMARY KEY, "{column}" int);'

    rewrites = [
        only(code, f'ALTER TABLE "Sales"."Order" {command}', given, version).rewrite
        for code, command in (
            ("set-not-null-scan", f'ALTER "{column}" SET NOT NULL'),
            ("column-type-change", f'ALTER "{column}" TYPE text'),
            ("column-numbered", "ADD COLUMN number bigserial UNIQUE"),
        )
    ]

    for rewrite in rewrites:
        assert 'ALTER TABLE "Sales"."Order" ' in rewrite
        assert max(len(name.encode()) for name in rewrite.split('"')[1::2]) <= 63


def test_a_table_found_by_the_search_path_is_suggested_with_its_schema():
    given = "CREATE SCHEMA sales; CREATE TABLE sales.orders (id bigint PRIMARY KEY, total int);"

    found = only("set-not-null-scan", "SET search_path = sales; ALTER TABLE orders ALTER total SET NOT NULL", given)

    assert "ALTER TABLE sales.orders ADD CONSTRAINT" in found.rewrite


def test_a_suggested_name_is_one_that_is_free():
    given = SHOP + "ALTER TABLE orders ADD CONSTRAINT orders_total_not_null CHECK (total > 0);"

    found = only("set-not-null-scan", "ALTER TABLE orders ALTER total SET NOT NULL", given)

    assert "ADD CONSTRAINT orders_total_not_null1 CHECK (total IS NOT NULL) NOT VALID" in found.rewrite


def test_a_changed_type_takes_along_what_hangs_on_the_column_and_names_the_rest():
    given = SHOP + "CREATE INDEX a ON orders (total DESC); CREATE INDEX b ON orders (total, note);"

    found = only("column-type-change", "ALTER TABLE orders ALTER total TYPE bigint", given)
    key = only("key-type-change", "ALTER TABLE customers ALTER id TYPE bigint", SHOP)

    assert "CREATE INDEX CONCURRENTLY a_new ON orders (total_new DESC);" in found.rewrite
    assert "-- by hand, for the new column: b\n" in found.rewrite
    assert (
        "ALTER TABLE customers ADD CONSTRAINT customers_pkey PRIMARY KEY USING INDEX customers_pkey_new;" in key.rewrite
    )
    assert key.rewrite.endswith("ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_id_fkey;")


def test_what_is_suggested_takes_no_strong_lock_for_long_in_any_of_its_files():
    given = SHOP.replace("id bigint PRIMARY KEY, customer_id", "id bigint, customer_id")
    commands = ("ADD COLUMN a bigserial PRIMARY KEY", "ADD COLUMN a int UNIQUE", *ONE_FINDING)
    harmless = {
        "not-analysed",
        "trigger-dropped",
        "object-dropped",
        "several-tables-locked",
        "foreign-key-type-mismatch",
        "view-without-grants",
    }

    for command in commands:
        made = given
        for finding in findings(f"ALTER TABLE orders {command}", given)[:1]:
            for file in files_of(finding.rewrite) if finding.rewrite else ():
                assert set(warnings(file, made)) <= harmless, (command, file)
                made += file


def test_a_column_that_takes_the_place_of_another_in_one_transaction_is_not_a_rename():
    swap = "ALTER TABLE orders RENAME total TO old; ALTER TABLE orders RENAME note TO total;"

    assert "column-renamed" not in codes(swap, SHOP)
    assert "column-renamed" in codes("ALTER TABLE orders RENAME total TO old;", SHOP)


def test_a_default_that_is_replaced_at_once_is_not_missed():
    assert warnings("ALTER TABLE orders ALTER pieces DROP DEFAULT, ALTER pieces SET DEFAULT 2", SHOP) == []
    assert warnings("ALTER TABLE orders ALTER pieces DROP DEFAULT, ALTER pieces DROP NOT NULL", SHOP) == []


def test_time_zones_are_free_when_the_session_says_utc():
    change = "ALTER TABLE orders ALTER placed_at TYPE timestamptz"

    assert warnings(f"SET LOCAL TimeZone = 'UTC'; {change}", SHOP) == []
    assert warnings(f"SET LOCAL TimeZone = 'Asia/Tokyo'; {change}", SHOP) == ["column-type-time-zone"]


def test_matters_of_taste_are_found_only_when_asked_for():
    sql = "CREATE TABLE t (id serial PRIMARY KEY, a varchar(10), b char(3), c timestamp, d json)"
    taste = {"serial-not-identity", "key-small-integer", "varchar-limited", "char-padded",
             "timestamp-without-time-zone", "json-not-jsonb"}  # fmt: skip

    assert taste.isdisjoint(codes(sql, ""))
    assert taste <= set(codes(sql, "", style=True))
