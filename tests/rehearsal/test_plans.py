"""Queries that are planned worse after a migration, and data that is masked before anything else reads it."""

from collections.abc import Iterator

import pytest

from checks.rehearsal.proof import Outcome
from checks.rehearsal.queries import Query
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.explaining import KNOWS_GENERIC, NEEDS_GENERIC
from deployments.postgres.rehearsal.frequent import frequent_queries
from deployments.postgres.rehearsal.masking import MaskingFailed, mask
from deployments.postgres.rehearsal.play import play
from tests.rehearsal.conftest import CLONE, pair

# Above what `checks.rehearsal.plans` calls large, with statistics that nobody has gathered yet.
FILL = "INSERT INTO ledger (user_id, points, reason) SELECT n, n, 'filled' FROM generate_series(1000, 180000) n"
OF_ONE = Query("points of one", "SELECT points FROM ledger WHERE user_id = 7")
OF_ANY = Query("points of any", "SELECT points FROM ledger WHERE user_id = $1", has_parameters=True)


@pytest.fixture
def copy(databases: Databases, clone: str) -> Iterator[str]:
    """A clone of this test's own."""
    with databases.copy(clone) as made:
        yield made


def test_queries_that_are_planned_worse_are_told_and_decide_nothing(databases: Databases, copy: str):
    with databases.session(copy) as opened:
        opened.execute(FILL)
    queries = [
        OF_ONE,
        OF_ANY,
        Query("notes", "SELECT note FROM customers"),
        Query("gone before", "SELECT nothing FROM ledger"),
    ]
    plan = [
        pair("001", "DROP INDEX ledger_user_idx", "CREATE INDEX ledger_user_idx ON ledger (user_id)"),
        pair("002", "ALTER TABLE customers RENAME note TO remark", "ALTER TABLE customers RENAME remark TO note"),
    ]

    proof = play(databases, copy, plan, queries=queries)

    assert proof.outcome is Outcome.RESTORES, proof.problems
    knows = databases.server_version >= KNOWS_GENERIC
    told = {one.query: one.sentence for one in reversed(proof.plans)}
    scanned = {"points of one", "points of any"} if knows else {"points of one"}
    assert {
        name for name, sentence in told.items() if sentence == "reads ledger whole now, which it did not"
    } == scanned
    assert told["notes"] == 'cannot be planned any more: column "note" does not exist (SQLSTATE 42703)'
    assert proof.queries == len(scanned) + 1
    never = 'gone before: column "nothing" does not exist (SQLSTATE 42703)'
    assert proof.unplanned == ((never,) if knows else (f"points of any: {NEEDS_GENERIC}", never))


def test_without_queries_nothing_is_planned(databases: Databases, clone: str):
    proof = play(databases, clone, [pair("001", "CREATE TABLE x (id int)", "DROP TABLE x")])

    assert (proof.queries, proof.plans, proof.unplanned) == (0, (), ())


def test_what_masking_changed_is_there_before_the_comparison_begins(databases: Databases, copy: str):
    text = "UPDATE customers SET email = 'c' || id || '@masked.invalid', note = NULL; DELETE FROM coupons"
    said: list[str] = []

    masked = mask(databases, copy, text, owner_role="", tell=said.append)
    proof = play(
        databases, copy, [pair("001", "ALTER TABLE customers ADD x int", "ALTER TABLE customers DROP x")], masked=masked
    )

    assert proof.outcome is Outcome.RESTORES, proof.problems
    assert "2 statements, 30 rows" in proof.masked
    with databases.session(copy) as opened:
        assert opened.execute("SELECT count(*) FROM customers WHERE email LIKE '%example%'").fetchone() == (0,)
    with databases.session(CLONE) as opened:
        assert opened.execute("SELECT count(*) FROM customers WHERE email LIKE '%example%'").fetchone() == (20,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("UPDATE customers SET email = lower(nothing)", 'column "nothing" does not exist'),
        ("UPDATE customers SET email = 'same'", "unique violation of customers_email_key (SQLSTATE 23505)"),
        ("DROP DATABASE shop", "reaches beyond the database"),
        ("UPDATE customers SETT x", "Line 1, column"),
    ],
)
def test_a_mask_that_fails_says_why_without_a_value(databases: Databases, copy: str, text: str, why: str):
    with pytest.raises(MaskingFailed) as refused:
        mask(databases, copy, text, owner_role="", tell=lambda _: None)

    assert why in str(refused.value)
    assert "example.org" not in str(refused.value)


def test_a_target_without_statistics_of_its_queries_says_so(databases: Databases, clone: str):
    with databases.session(clone) as opened:
        assert frequent_queries(opened).why == "the extension pg_stat_statements is not there"
