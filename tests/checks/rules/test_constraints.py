"""What is found about constraints, where the examples of the rules do not say it."""

from __future__ import annotations

from checks.report import World, judge
from tests.checks.rules.judging import codes, findings, only, world

SHOP = """
CREATE DOMAIN unused AS int;
CREATE TABLE customers (id bigint PRIMARY KEY, code text);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint CONSTRAINT orders_customer_fk REFERENCES customers (id),
    email text CONSTRAINT orders_email_key UNIQUE, total int NOT NULL CONSTRAINT orders_total_check CHECK (total > 0),
    note text
);
CREATE UNIQUE INDEX orders_total_idx ON orders (total);
CREATE UNIQUE INDEX orders_note_idx ON orders (note);
CREATE TABLE log (id bigint, at timestamptz);
CREATE TABLE events (id bigint, kind int, customer_id bigint) PARTITION BY RANGE (kind);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
"""
ONE_FINDING = {
    "orders ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES customers (id)": "foreign-key-scan",
    "orders ADD CHECK (total < 100)": "check-scan",
    "orders ADD UNIQUE (customer_id)": "unique-build",
    "log ADD PRIMARY KEY (id)": "primary-key-build",
    "orders ADD EXCLUDE USING btree (total WITH =)": "exclusion-build",
    "orders DROP CONSTRAINT orders_customer_fk": "constraint-dropped",
    "orders DROP CONSTRAINT orders_email_key": "constraint-dropped",
    "orders DISABLE TRIGGER ALL": "triggers-disabled",
}
FREE = (
    "orders ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES customers (id) NOT VALID",
    "orders ADD CHECK (total < 100) NOT VALID",
    "orders ADD CONSTRAINT k UNIQUE USING INDEX orders_note_idx",
    "orders VALIDATE CONSTRAINT orders_total_check",
    "orders DROP CONSTRAINT IF EXISTS nothing",
    "orders ENABLE TRIGGER ALL",
)


def warnings(sql: str, given: str | None = SHOP, version: int = 16) -> list[str]:
    return [one.code for one in findings(sql, given, version) if one.severity != "note"]


def test_each_kind_of_constraint_has_a_finding_of_its_own():
    found = {command: warnings(f"ALTER TABLE {command}") for command in ONE_FINDING}

    assert found == {command: [code] for command, code in ONE_FINDING.items()}


def test_what_takes_no_time_and_takes_nothing_away_is_not_found():
    found = {command: warnings(f"ALTER TABLE {command}") for command in FREE}

    assert found == {command: [] for command in FREE}


def test_a_table_that_the_script_made_is_free():
    make = "CREATE TABLE fresh (LIKE orders); CREATE TABLE old (LIKE orders);"
    commands = (
        "ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES old_keys (id)",
        "ADD CHECK (total < 100)",
        "ADD UNIQUE (note)",
        "ADD PRIMARY KEY (id)",
    )

    found = {
        one: warnings(f"CREATE TABLE old_keys (id bigint PRIMARY KEY); {make} ALTER TABLE fresh {one}")
        for one in commands
    }

    assert found == {command: [] for command in commands}


def test_each_message_says_who_waits_for_how_long_and_instant_things_say_so():
    check = only("check-scan", "ALTER TABLE orders ADD CONSTRAINT few CHECK (total < 100)", SHOP)
    key = only("foreign-key-scan", "ALTER TABLE log ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES customers (id)", SHOP)
    drop = only("constraint-dropped", "ALTER TABLE orders DROP CONSTRAINT orders_customer_fk", SHOP)
    parent = only("foreign-key-locks-parent", "CREATE TABLE a (id bigint REFERENCES customers (id))", SHOP)

    assert check.message == (
        "Adding few tries it on every row of orders; until it is done, nobody can read or write orders."
    )
    assert key.message == (
        "Adding k checks every row of log against customers; until it is done, nobody can write to log or customers."
    )
    assert "takes an instant, but it locks both tables" in drop.message
    assert "nobody can read or write orders or customers" in drop.message
    assert "takes an instant" in parent.message


def test_a_primary_key_looks_for_nulls_only_where_there_can_be_some():
    nullable = "ALTER TABLE log ADD CONSTRAINT k PRIMARY KEY USING INDEX i"
    given = SHOP + "CREATE UNIQUE INDEX i ON log (id);"

    assert warnings(nullable, given) == ["primary-key-scan"]
    assert warnings(nullable, given + "ALTER TABLE log ALTER id SET NOT NULL;") == []
    assert "looks for nulls" in only("primary-key-build", "ALTER TABLE log ADD PRIMARY KEY (id)", SHOP).message


def test_a_suggestion_keeps_what_was_asked_for():
    deferred = "ALTER TABLE orders ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (note) INCLUDE (total) DEFERRABLE"
    named = only("unique-build", deferred, SHOP).rewrite
    key = "ALTER TABLE log ADD FOREIGN KEY (id) REFERENCES customers (id) ON DELETE CASCADE DEFERRABLE"

    assert "CREATE UNIQUE INDEX CONCURRENTLY k ON orders (note) INCLUDE (total) NULLS NOT DISTINCT;" in named
    assert named.endswith("ADD CONSTRAINT k UNIQUE USING INDEX k DEFERRABLE;")
    rewrite = only("foreign-key-scan", key, SHOP).rewrite
    assert "ADD CONSTRAINT log_id_fkey FOREIGN KEY (id) REFERENCES customers (id) ON DELETE CASCADE" in rewrite
    assert "DEFERRABLE" in rewrite


def test_nothing_is_suggested_that_a_partitioned_table_cannot_do():
    key = "ALTER TABLE events ADD CONSTRAINT k FOREIGN KEY (customer_id) REFERENCES customers (id)"

    assert only("unique-build", "ALTER TABLE events ADD UNIQUE (id, kind)", SHOP).rewrite == ""
    assert only("foreign-key-scan", key, SHOP, 17).rewrite == ""
    assert "NOT VALID" in only("foreign-key-scan", key, SHOP, 18).rewrite


def test_validating_is_found_only_while_a_strong_lock_is_held():
    add = "ALTER TABLE orders ADD CONSTRAINT k CHECK (total < 9) NOT VALID;"
    validate = "ALTER TABLE orders VALIDATE CONSTRAINT k;"

    assert warnings(add + validate) == ["validated-in-same-transaction"]
    assert warnings(validate, SHOP + add) == []
    apart = judge(add + validate, world=World(world(SHOP).schema, 16, wraps_in_transaction=False))
    assert "validated-in-same-transaction" not in [one.code for one in apart.findings]


def test_a_constraint_that_gets_a_successor_is_not_missed():
    drop = "ALTER TABLE orders DROP CONSTRAINT orders_total_check;"
    proof = "ALTER TABLE orders ADD CONSTRAINT proof CHECK (total IS NOT NULL);"

    assert warnings(f"{drop} ALTER TABLE orders ADD CONSTRAINT k CHECK (total > 1) NOT VALID;") == []
    assert warnings(drop) == ["constraint-dropped"]
    assert warnings("ALTER TABLE orders DROP CONSTRAINT proof;", SHOP + proof) == []


def test_a_constraint_of_which_nothing_is_known_may_be_a_foreign_key():
    found = only("constraint-dropped", "ALTER TABLE t DROP CONSTRAINT k")

    assert "if a foreign key" in found.message


def test_a_constraint_left_not_valid_is_told_once_and_only_where_its_table_is_touched():
    given = SHOP + "ALTER TABLE orders ADD CONSTRAINT k CHECK (total < 9) NOT VALID;"
    two = "ALTER TABLE orders ADD COLUMN a int; ALTER TABLE orders ADD COLUMN b int;"

    assert codes(two, given).count("constraint-left-not-valid") == 1
    assert "constraint-left-not-valid" not in codes("ALTER TABLE customers ADD COLUMN a int", given)
    assert "constraint-left-not-valid" not in codes("ALTER TABLE orders VALIDATE CONSTRAINT k", given)


def test_keys_are_compared_with_the_columns_they_refer_to():
    def mismatch(mine: str, theirs: str) -> bool:
        given = f"CREATE TABLE a (id {theirs} PRIMARY KEY);"
        return "foreign-key-type-mismatch" in codes(f"CREATE TABLE b (a {mine} REFERENCES a (id));", given)

    assert mismatch("int", "bigint")
    assert mismatch("int", "numeric")
    assert not mismatch("bigint", "int")
    assert not mismatch("bigint", "bigint")
    assert not mismatch("varchar(10)", "text")


def test_a_foreign_key_needs_an_index_that_begins_with_its_columns_in_any_order():
    def lacks(index: str) -> bool:
        given = "CREATE TABLE a (x int, y int, PRIMARY KEY (x, y));"
        made = f"CREATE TABLE b (x int, y int, z int, FOREIGN KEY (x, y) REFERENCES a); CREATE INDEX i ON b {index};"
        return "foreign-key-without-index" in codes(made, given)

    assert not lacks("(y, x, z)")
    assert lacks("(z, x, y)")
    assert lacks("(x)")
    assert lacks("(x, y) WHERE z > 0")


def test_a_domain_that_no_table_uses_can_have_any_constraint():
    assert warnings("ALTER DOMAIN unused ADD CHECK (VALUE > 0)") == []
    assert warnings("ALTER DOMAIN unused ADD CHECK (VALUE > 0)", None) == ["domain-constraint-scan"]
