"""The checklist says what was found, and "not known" where nobody can tell: never a yes by default."""

import pytest

from checks.context import World
from checks.layouts.base import MigrationFiles
from checks.model import UNKNOWN
from checks.phases import Contract
from checks.reviewing.checklist import checklist
from checks.reviewing.notes import missing, sections
from checks.reviewing.values import CiResult, ItemOutcome, Subject
from tests.checks.worlds import GB, world

GIVEN = """
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL DEFAULT '', phone text);
CREATE TABLE orders (id int PRIMARY KEY, total int, user_id int CONSTRAINT of_user REFERENCES users (id));
CREATE INDEX orders_total ON orders (total);
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
"""
NOTES = "# Why\n\nBecause.\n\n## Rollback plan\n\nRun it.\n\n## Downstream consumers\n\nNone are known.\n"
ALL = {"migration", "compatible", "rollback", "integrity", "performance", "repeatable", "reasons", "rollback-plan",
       "downstream-consumers", "tests"}  # fmt: skip


def items(forward: str, *, given: World | None = None, **parts):
    files = {name: parts.pop(name).encode() for name in ("rollback", "verify", "notes") if name in parts}
    subject = Subject(MigrationFiles("1_x", "1", forward.encode(), **files), given or world(GIVEN, size=1), **parts)
    return {one.code: one for one in checklist(subject)}


def test_a_good_migration_meets_everything():
    found = items(
        "ALTER TABLE users ADD COLUMN age int;",
        rollback="ALTER TABLE users DROP COLUMN age;",
        verify="-- expect: 0\nSELECT count(*) FROM users WHERE age < 0;",
        notes=NOTES,
        tests=CiResult(passed=True, source="build 7"),
    )

    assert {code: one.words for code, one in found.items() if one.outcome is not ItemOutcome.MET} == {}
    assert found.keys() == ALL
    assert found["tests"].evidence == ("build 7",)
    assert found["integrity"].evidence[0].startswith("line 2: ")


def test_what_is_missing_is_not_met_and_what_nobody_reported_is_not_known():
    found = items("ALTER TABLE users ADD COLUMN age int;")

    assert {code for code, one in found.items() if one.outcome is ItemOutcome.NOT_MET} == {
        "rollback", "integrity", "reasons", "rollback-plan", "downstream-consumers",
    }  # fmt: skip
    assert (found["tests"].outcome, found["tests"].words) == (ItemOutcome.NOT_KNOWN, "Not reported.")


@pytest.mark.parametrize("forward", ["\\d users", "ALTER TABLE users ADD COLUMN", "SELECT 1; \x00"])
def test_a_migration_that_cannot_be_read_meets_nothing_by_its_text(forward):
    found = items(forward, rollback="SELECT 1;", verify="-- expect: 1\nSELECT 1;", notes=NOTES)

    assert found["migration"].outcome is ItemOutcome.NOT_MET
    for code in ("compatible", "rollback", "integrity", "performance", "repeatable"):
        assert found[code].outcome is ItemOutcome.NOT_KNOWN


@pytest.mark.parametrize(
    ("forward", "rollback", "missing"),
    [
        ("ALTER TABLE users ADD a int", "-- nothing", "column a of users is left over"),
        ("DROP INDEX orders_total", "-- nothing", "index orders_total of orders is missing"),
        ("DROP INDEX orders_total", "CREATE INDEX orders_total ON orders (id)", "index orders_total of orders is not"),
        ("ALTER TABLE users ALTER name DROP NOT NULL, ALTER name DROP DEFAULT",
         "ALTER TABLE users ALTER name SET NOT NULL", "column name of users is not what it was"),
        ("ALTER TABLE orders DROP CONSTRAINT of_user", "SELECT 1", "constraint of_user of orders is missing"),
        ("CREATE TABLE n (id int)", "SELECT 1", "table n is left over"),
        ("GRANT SELECT ON users TO public", "-- nothing", "table users: its privileges are not what they were"),
        ("CREATE TYPE k AS ENUM ('a')", "SELECT 1", "type k is left over"),
        ("DROP FUNCTION f()", "SELECT 1", "function f is missing"),
        ("ALTER TABLE users RENAME TO people", "ALTER TABLE people RENAME TO persons", "table users is missing"),
        ("ALTER TABLE users ADD a int", "ALTER TABLE users DROP COLUMN b", "line 1: "),
        ("ALTER TABLE users ADD a int", "DROP NONSENSE", "syntax error"),
        ("ALTER TABLE users DROP COLUMN phone", "ALTER TABLE users ADD COLUMN phone text",
         "declare it with -- locktender: irreversible users.phone"),
        ("DELETE FROM users WHERE id = 1", "SELECT 1", "users loses rows"),
        ("UPDATE users SET phone = '' WHERE id = 1", "SELECT 1", "users.phone is overwritten"),
        ("DROP TABLE orders", ("CREATE TABLE orders (id int PRIMARY KEY, total int, user_id int CONSTRAINT of_user "
         "REFERENCES users (id)); CREATE INDEX orders_total ON orders (total)"), "irreversible orders"),
    ],
)  # fmt: skip
def test_a_rollback_that_does_not_bring_everything_back_says_what(forward, rollback, missing):
    item = items(forward, rollback=rollback)["rollback"]

    assert item.outcome is ItemOutcome.NOT_MET
    assert missing in " ".join(item.evidence)


@pytest.mark.parametrize(
    ("forward", "rollback"),
    [
        ("ALTER TABLE users ADD a int", "ALTER TABLE users DROP COLUMN a"),
        ("ALTER TABLE users RENAME TO people", "ALTER TABLE people RENAME TO users"),
        ("DROP INDEX orders_total", "CREATE INDEX orders_total ON orders (total)"),
        ("-- locktender: irreversible users.phone: they moved\nALTER TABLE users DROP COLUMN phone",
         "ALTER TABLE users ADD COLUMN phone text"),
        ("ALTER TABLE users DROP COLUMN phone",
         "-- locktender: irreversible public.users\nALTER TABLE users ADD COLUMN phone text"),
        ("UPDATE users SET phone = 'x' WHERE id < 5 AND phone IS NULL", "-- it holds what can be computed again"),
        ("CREATE TABLE n (id int); INSERT INTO n VALUES (1); DELETE FROM n", "DROP TABLE n"),
        ("UPDATE users SET phone = 'x' WHERE id = 1", "UPDATE users SET phone = 'y' WHERE id = 1"),
        ("COMMENT ON TABLE users IS 'x'", "-- nothing"),
    ],
)  # fmt: skip
def test_a_rollback_that_brings_everything_back_is_proven_on_the_model(forward, rollback):
    item = items(forward, rollback=rollback)["rollback"]

    assert (item.outcome, item.evidence if "whether" not in str(item.evidence) else ()) == (ItemOutcome.MET, ())


@pytest.mark.parametrize(
    ("forward", "rollback", "given"),
    [
        ("DO $$ BEGIN NULL; END $$", "-- nothing", None),
        ("CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END'", "-- nothing", None),
        ("ALTER TABLE t ADD a int", "ALTER TABLE t DROP COLUMN a", World(UNKNOWN)),
    ],
)
def test_what_the_model_does_not_hold_is_not_known_to_come_back(forward, rollback, given):
    item = items(forward, rollback=rollback, given=given)["rollback"]

    assert item.outcome is ItemOutcome.NOT_KNOWN
    assert item.evidence[0].startswith("not compared: ")


def test_the_verify_script_asks_about_what_is_changed():
    forward = "ALTER TABLE users ADD a int; ALTER TABLE orders ADD a int"
    index = "CREATE INDEX CONCURRENTLY i ON users (name)"
    by_name = "-- expect: true\nSELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"

    one = items(forward, verify="-- expect: 1\nSELECT count(*) FROM users")["integrity"]
    neither = items(forward, verify="SELECT 1")["integrity"]

    assert (one.outcome, one.words) == (ItemOutcome.NOT_MET, "The verify script asks nothing about orders.")
    assert (neither.outcome, neither.words) == (ItemOutcome.NOT_MET, "The verify script cannot be used.")
    assert items(index, verify=by_name)["integrity"].outcome is ItemOutcome.MET
    assert items("COMMENT ON TABLE users IS 'x'")["integrity"].outcome is ItemOutcome.MET
    assert items("DROP TABLE orders", verify="-- expect: 1\nSELECT 1")["integrity"].outcome is ItemOutcome.MET


def test_the_impact_is_assessed_only_where_it_is_known():
    sql = "CREATE INDEX i ON users (name)"

    known = items(sql, given=world(GIVEN, size=GB))["performance"]
    unknown = items(sql, given=world(GIVEN))["performance"]

    assert (known.outcome, known.words) == (ItemOutcome.MET, "Others wait for users longest: 2 s to 10 s.")
    assert unknown.outcome is ItemOutcome.NOT_KNOWN
    assert "size unknown" in unknown.evidence[0]
    assert items("DO $$ BEGIN NULL; END $$")["performance"].outcome is ItemOutcome.NOT_KNOWN
    assert items("CREATE TABLE n (id int)")["performance"].words == "Nobody who reads or writes waits for it."


@pytest.mark.parametrize(
    ("forward", "outcome"),
    [
        ("ALTER TABLE users ADD a int", ItemOutcome.MET),
        ("CREATE INDEX CONCURRENTLY i ON users (name)", ItemOutcome.MET),
        ("CREATE INDEX CONCURRENTLY ON users (name)", ItemOutcome.NOT_MET),
        ("CREATE INDEX CONCURRENTLY i ON users (name); ALTER TABLE orders ADD a int", ItemOutcome.NOT_MET),
        ("VACUUM users", ItemOutcome.MET),
        ("-- locktender: no-transaction\nCALL fill()", ItemOutcome.NOT_MET),
        ("BEGIN; ALTER TABLE users ADD a int; COMMIT", ItemOutcome.NOT_MET),
    ],
)
def test_a_migration_is_whole_or_can_be_run_again(forward, outcome):
    assert items(forward)["repeatable"].outcome is outcome


def test_a_contract_is_compatible_when_its_time_has_come():
    sql = "ALTER TABLE users DROP COLUMN phone"
    contract = Contract("1_x", "0_expand", "2.6", "declared")

    answers = {ready: items(sql, contracts=[contract], is_ready=ready)["compatible"] for ready in (True, False, None)}

    assert [one.outcome for one in answers.values()] == [ItemOutcome.MET, ItemOutcome.NOT_MET, ItemOutcome.NOT_KNOWN]
    assert all("phone" in one.evidence[0] for one in answers.values())
    assert items(sql)["compatible"].outcome is ItemOutcome.NOT_MET


def test_failed_tests_are_not_met():
    assert items("SELECT 1", tests=CiResult(passed=False, source="build 8"))["tests"].outcome is ItemOutcome.NOT_MET


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (NOTES, ()),
        ("", ("reasons", "rollback plan", "downstream consumers")),
        ("# Reasons\n\n# Rollback\nx\n# Consumers\nx", ("reasons",)),
        ("# Reasons\n<!-- write why -->\n# Rollback\nx\n# Consumers\nx", ("reasons",)),
        ("# Reasons\n---\n# Rollback\nx\n# Consumers\nx", ("reasons",)),
        ("Reasons\n=======\nx\n\nRollback\n--------\nx\n\nAffected\n---\nx", ()),
        ("# All\n```\n# Reasons\nx\n```\n# Rollback\nx\n# Consumers\nx", ("reasons",)),
        ("# Reasons\n## First\nx\n# Rolling stock\nx", ("rollback plan", "downstream consumers")),
        ("Reasons: many. Rollback: none. Consumers: all.", ("reasons", "rollback plan", "downstream consumers")),
    ],
)
def test_notes_are_headings_with_text_below_them(text, left):
    assert missing(text) == left


def test_the_text_below_a_heading_is_found():
    assert sections("# A\none\n## B\ntwo\n# C\n") == {"A": "one\ntwo", "B": "two", "C": ""}
