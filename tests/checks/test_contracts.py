"""A contract waits for its expand, for the soak, and for the application that reads the old shape to be gone."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.comments.directives import directives
from checks.context import World
from checks.model import EMPTY
from checks.phases import Applied, Contract, contracts_of, require_ready
from checks.phases.errors import (
    ApplicationUnknown,
    ExpandNotDeployed,
    ExpandNotSoaked,
    ExpandUnknown,
    OldApplicationRuns,
)
from checks.statements import parse
from tests.checks.worlds import seen_in

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TABLES = ("0_tables", "CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text)")
SYNC = """
ALTER TABLE orders ADD COLUMN cents bigint;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.cents := NEW.total * 100; RETURN NEW; END $$;
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep();
"""
VIEW = "ALTER TABLE orders RENAME TO purchases; CREATE VIEW orders AS SELECT * FROM purchases"


def release(*migrations: tuple[str, str]):
    world, found = World(EMPTY), []
    for name, sql in (TABLES, *migrations):
        context = seen_in(sql, world)
        found.append((name, context))
        world = World(context.after)
    return contracts_of(found)


def test_a_comment_declares_a_contract():
    (found,) = release(
        ("1_expand", "ALTER TABLE orders ADD COLUMN cents bigint"),
        ("2_contract", "-- locktender: contracts 1_expand after 2.6\nALTER TABLE orders DROP COLUMN total"),
    )

    assert (found.migration, found.expand, found.after) == ("2_contract", "1_expand", "2.6")
    assert found.words == "line 1 declares it"


def test_dropping_what_a_trigger_keeps_equal_is_recognised():
    (found,) = release(("1_expand", SYNC), ("2_contract", "ALTER TABLE orders DROP COLUMN total"))

    assert (found.migration, found.expand, found.after) == ("2_contract", "1_expand", "")
    assert found.words == "drops column total of orders, which cents of it was made from"


def test_dropping_the_view_of_an_old_name_is_recognised():
    (found,) = release(("1_rename", VIEW), ("2_contract", "DROP VIEW orders"))

    assert (found.migration, found.expand) == ("2_contract", "1_rename")


def test_not_null_on_a_column_that_old_code_leaves_out_is_recognised():
    (found,) = release(
        ("1_add", "ALTER TABLE orders ADD COLUMN kind text"), ("2_strict", "ALTER TABLE orders ALTER kind SET NOT NULL")
    )

    assert (found.migration, found.expand) == ("2_strict", "1_add")


@pytest.mark.parametrize(
    "migrations",
    [
        [("1_expand", SYNC), ("2_fill", "ALTER TABLE orders ALTER cents SET NOT NULL")],  # the trigger fills it
        [("1_expand", SYNC), ("2_other", "ALTER TABLE orders DROP COLUMN note")],
        [("1_both", SYNC + "ALTER TABLE orders DROP COLUMN total")],
        [("1_strict", "ALTER TABLE orders ALTER note SET NOT NULL")],
        [("1_view", "CREATE VIEW v AS SELECT * FROM orders"), ("2_drop", "DROP VIEW v")],
    ],
)
def test_what_takes_nothing_away_that_was_replaced_is_no_contract(migrations):
    assert release(*migrations) == ()


def test_a_declared_contract_keeps_its_version_where_it_is_recognised_too():
    (found,) = release(
        ("1_expand", SYNC),
        ("2_contract", "-- locktender: contracts 1_expand after 2.6\nALTER TABLE orders DROP COLUMN total"),
    )

    assert found.after == "2.6"


ONE = Contract("2_contract", "1_expand", "2.6", "line 1 declares it")
SOAKED = NOW - 3 * DAY


def require(since: dict[str, datetime | None], running: str | None = "2.7", contract: Contract = ONE) -> None:
    require_ready([contract], Applied(since, running), now=NOW, soak=DAY)


@pytest.mark.parametrize("running", ["2.7", "v2.7", "2.7.0-rc1", "2.10", "3", "3.0.1"])
def test_a_contract_runs_when_its_expand_soaked_and_no_old_application_runs(running):
    require({"1_expand": SOAKED}, running)
    require({"1_expand": NOW - DAY}, running)


def test_a_contract_without_a_version_asks_for_the_expand_only():
    require({"1_expand": SOAKED}, None, Contract("2_contract", "1_expand", "", "recognised"))


@pytest.mark.parametrize(
    ("since", "running", "refusal", "words"),
    [
        ({}, "2.7", ExpandUnknown, "no migration has that name"),
        ({"1_expand": None}, "2.7", ExpandNotDeployed, "Sync the commit that has 1_expand and not yet this one"),
        ({"1_expand": NOW}, "2.7", ExpandNotSoaked, "Plan again after 2026-11-23 12:00 UTC"),
        ({"1_expand": NOW - DAY + timedelta(seconds=1)}, "2.7", ExpandNotSoaked, "deployed here only lately"),
        ({"1_expand": SOAKED}, "2.6", OldApplicationRuns, "Deploy an application after 2.6"),
        ({"1_expand": SOAKED}, "2.6.9", OldApplicationRuns, "version 2.6.9 is running"),
        ({"1_expand": SOAKED}, "2", OldApplicationRuns, "version 2 is running"),
        ({"1_expand": SOAKED}, "1.9", OldApplicationRuns, "version 1.9 is running"),
        ({"1_expand": SOAKED}, None, ApplicationUnknown, "its version is not known"),
        ({"1_expand": SOAKED}, "main-4f3a", ApplicationUnknown, "cannot be compared"),
    ],
)
def test_a_contract_that_comes_too_early_is_refused_with_the_missing_step(since, running, refusal, words):
    with pytest.raises(refusal) as refused:
        require(since, running)

    assert words in str(refused.value)
    assert "Nothing was planned" in str(refused.value)


def test_an_expand_that_was_deployed_but_not_soaked_says_from_when_on():
    with pytest.raises(ExpandNotSoaked) as refused:
        require({"1_expand": NOW})

    assert refused.value.ready_at == NOW + DAY


def test_a_comment_that_says_more_than_a_contract_needs_is_told_to_be_unreadable():
    for words in ("contracts", "contracts 1_x until 2.6", "contracts 1_x after 2.6 or so"):
        (found,) = directives(parse(f"-- locktender: {words}\nSELECT 1"))
        assert not found.is_readable, words
        assert "It has no effect" in found.problem


def test_a_hash_of_a_commit_is_no_version():
    contract = Contract("2_contract", "1_expand", "2.6", "line 1 declares it")
    applied = Applied({"1_expand": NOW - DAY}, running="3f2a9c1")

    with pytest.raises(ApplicationUnknown):
        require_ready([contract], applied, now=NOW, soak=timedelta(0))


@pytest.mark.parametrize(
    "made",
    [
        "ALTER TABLE orders ADD COLUMN a int DEFAULT 0",
        "ALTER TABLE orders ADD COLUMN a int NOT NULL DEFAULT 0",
    ],
)
def test_a_column_that_old_code_may_leave_out_is_no_contract(made):
    assert release(("1_add", made), ("2_tight", "ALTER TABLE orders ALTER COLUMN a SET NOT NULL")) == ()
