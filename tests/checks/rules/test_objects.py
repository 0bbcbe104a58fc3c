"""Rules about views, triggers, functions, types, roles and replication."""

from __future__ import annotations

import pytest

from tests.checks.rules.judging import codes, only

ORDERS = "CREATE TABLE orders (id bigint PRIMARY KEY, status text);"
TRIGGER = (
    ORDERS + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();"
)
AGAIN = "CREATE TRIGGER t AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION f()"
TOTALS = ORDERS + "CREATE MATERIALIZED VIEW totals AS SELECT id FROM orders;"
STATUS = "CREATE TYPE status AS ENUM ('open');"
TOLD = {
    "trigger-created", "trigger-dropped", "refresh-not-concurrent", "view-replaced", "enum-value-added",
    "enum-value-used-at-once", "object-renamed", "extension-changed", "privileges-broad", "privileges-revoked",
    "role-changed", "owner-changed", "replication-changed", "function-replaced", "function-security-definer",
    "function-untrusted-language", "not-analysed", "object-dropped",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "given", "expected"),
    [
        (AGAIN.replace(" t ", " u "), TRIGGER, ["trigger-created"]),
        ("CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON n EXECUTE FUNCTION f()", TRIGGER, []),
        ("DROP TRIGGER t ON orders", TRIGGER, ["trigger-dropped"]),
        ("DROP TRIGGER IF EXISTS t ON orders;" + AGAIN, TRIGGER, ["trigger-created"]),
        ("DROP TRIGGER t ON orders; DROP FUNCTION f()", TRIGGER, ["trigger-dropped"]),
        ("ALTER TABLE orders DISABLE TRIGGER t", TRIGGER, ["trigger-dropped"]),
        ("ALTER TABLE orders ENABLE TRIGGER t", TRIGGER, []),
        ("REFRESH MATERIALIZED VIEW totals", TOTALS, ["refresh-not-concurrent"]),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY totals", TOTALS + "CREATE UNIQUE INDEX i ON totals (id);", []),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; REFRESH MATERIALIZED VIEW m", ORDERS, []),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a", ORDERS, []),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a", None, ["view-replaced"]),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a, 2 AS b", "CREATE VIEW v AS SELECT 1 AS a;", ["view-replaced"]),
        ("CREATE VIEW v AS SELECT 1 AS a", None, []),
        ("ALTER TYPE status ADD VALUE 'lost'", STATUS, ["enum-value-added"]),
        (STATUS + "ALTER TYPE status ADD VALUE 'lost'; SELECT 'lost'::status", "", []),
        ("ALTER TYPE status RENAME VALUE 'open' TO 'new'", STATUS, ["object-renamed"]),
        ("ALTER TYPE status RENAME TO state", STATUS, ["object-renamed"]),
        ("ALTER FUNCTION f() RENAME TO g", TRIGGER, ["object-renamed"]),
        ("ALTER INDEX orders_pkey RENAME TO i", ORDERS, []),
        ("ALTER EXTENSION citext UPDATE", None, ["extension-changed"]),
        ("GRANT SELECT ON orders TO PUBLIC", ORDERS, ["privileges-broad"]),
        ("REVOKE SELECT ON orders FROM reporting", ORDERS, ["privileges-revoked"]),
        ("REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC", TRIGGER, []),
        ("CREATE TABLE n (a int); REVOKE ALL ON n FROM PUBLIC", ORDERS, []),
        ("CREATE ROLE reporting", ORDERS, ["role-changed"]),
        ("GRANT reporting TO admin", ORDERS, ["role-changed"]),
        ("REASSIGN OWNED BY a TO b", ORDERS, ["role-changed"]),
        ("ALTER TABLE orders OWNER TO admin", ORDERS, ["owner-changed"]),
        ("ALTER FUNCTION f() OWNER TO admin", TRIGGER, ["owner-changed"]),
        ("CREATE TABLE n (a int); ALTER TABLE n OWNER TO admin", ORDERS, []),
        ("CREATE PUBLICATION p FOR TABLE orders", ORDERS, ["replication-changed"]),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", None, ["replication-changed"]),
        ("DROP PUBLICATION p", None, ["replication-changed"]),
        ("CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'", TRIGGER, []),
        ("CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ''", TRIGGER, ["function-replaced"]),
        ("CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'", None, ["function-replaced"]),
    ],
)
def test_what_is_found_about_objects(sql, given, expected):
    assert [code for code in codes(sql, given) if code in TOLD] == expected


def test_a_refresh_is_offered_concurrently_only_with_the_index_that_this_needs():
    refresh = "REFRESH MATERIALIZED VIEW totals"

    def offered(index: str) -> str:
        return only("refresh-not-concurrent", refresh, TOTALS + index).rewrite

    assert offered("") == ""
    assert offered("CREATE INDEX i ON totals (id);") == ""
    assert offered("CREATE UNIQUE INDEX i ON totals (id) WHERE id > 1;") == ""
    assert offered("CREATE UNIQUE INDEX i ON totals (id);") == "REFRESH MATERIALIZED VIEW CONCURRENTLY totals;"
    assert "every query of it fails" in only("refresh-not-concurrent", f"{refresh} WITH NO DATA", TOTALS).message


@pytest.mark.parametrize(
    ("use", "is_found"),
    [
        ("UPDATE orders SET status = 'lost' WHERE id = 1", True),
        ("ALTER TABLE orders ADD COLUMN s status DEFAULT 'lost'", True),
        ("INSERT INTO orders VALUES (1, 'open')", False),
        ("COMMENT ON TABLE orders IS 'lost'", False),
    ],
)
def test_a_new_enum_value_is_not_to_be_used_before_the_commit(use, is_found):
    script = f"ALTER TYPE status ADD VALUE 'lost';\n{use}"

    assert ("enum-value-used-at-once" in codes(script, STATUS + ORDERS)) is is_found
    assert "enum-value-used-at-once" not in codes(use, STATUS + ORDERS)


def test_a_renamed_thing_is_named_with_its_kind_and_both_names():
    renamed = only("object-renamed", "ALTER TYPE status RENAME VALUE 'open' TO 'new'", STATUS).message
    function = only("object-renamed", 'ALTER FUNCTION s."F"(int) RENAME TO g', None).message

    assert "value of status 'open' is called 'new'" in renamed
    assert 'function s."F" is called g' in function


def test_a_password_in_a_file_is_told():
    assert "password" in only("role-changed", "CREATE ROLE r LOGIN PASSWORD 'secret'").message
    assert "secret" not in only("role-changed", "CREATE ROLE r LOGIN PASSWORD 'secret'").message


def test_an_enum_is_a_matter_of_taste():
    assert codes(STATUS) == []
    assert codes(STATUS, style=True) == ["enum-created"]
