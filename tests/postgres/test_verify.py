"""Asking the queries of a verify script: what they give, and that they can neither write, wait nor see half."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from checks.integrity.questions import Check, Form, expectations
from checks.integrity.verdicts import Answer, Refusal
from deployments.postgres.connect import LINK_ERRORS, Holder
from deployments.postgres.verify import answer, ask, reading

HOLDER = Holder(run=1, job=7, fence=3)
SHORT = timedelta(milliseconds=500)


def check(query: str, expected: str = "0") -> Check:
    (found,) = expectations(f"-- expect: {expected}\n{query}")
    return found


def unread(query: str) -> Check:
    """A check whose query its author could not have written: it is refused when the script is read."""
    return Check(number=1, line=1, title="", sql=query, form=Form.VALUE, expectation="0", value="0")


@pytest.fixture
def ledger(place):
    """A ledger of three owners, one of whom has nothing."""
    place.do(
        "CREATE TABLE ledger (id int PRIMARY KEY, owner text, points numeric(9, 2))",
        "INSERT INTO ledger VALUES (1, 'ada', 10), (2, 'bob', 20.50), (3, 'cleo', NULL)",
        'CREATE TABLE parents (mother text COLLATE "C", father text COLLATE "POSIX")',
        "INSERT INTO parents VALUES ('eve', 'adam'), ('ava', 'adam')",
    )
    return place


def asked(place, query: str, expected: str = "0", *, limit: timedelta = timedelta(seconds=20)) -> Answer | Refusal:
    with reading(place.target, HOLDER) as opened:
        return answer(opened, check(query, expected), limit=limit)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT count(*) FROM ledger", "3"),
        ("SELECT sum(points) FROM ledger", "30.50"),
        ("SELECT points FROM ledger WHERE id = 3", None),
        ("SELECT bool_and(id > 0) FROM ledger", "true"),
        ("SELECT owner FROM ledger WHERE owner LIKE 'a%' -- and no more", "ada"),
        ("VALUES ('%s {query} ''')", "%s {query} '"),
        ("SELECT 1 AS locktender_check", "1"),
        ("WITH one AS (SELECT 7) SELECT * FROM one", "7"),
    ],
)
def test_a_single_value_comes_back_as_text(ledger, query, value):
    assert asked(ledger, query) == Answer(rows=1, value=value)


def test_rows_and_columns_are_counted_where_there_is_not_one_value(ledger):
    assert asked(ledger, "SELECT id, id, owner FROM ledger") == Answer(rows=3, columns=3)
    assert asked(ledger, "SELECT id FROM ledger WHERE id > 9") == Answer(rows=0)
    assert asked(ledger, "SELECT owner FROM ledger").rows == 3
    assert asked(ledger, "SELECT mother || father FROM parents").rows == 2  # without a collation of its own
    assert asked(ledger, "SELECT FROM ledger") == Answer(rows=3, columns=0)
    assert asked(ledger, "SELECT id, id FROM ledger ORDER BY 1 LIMIT 2", "no rows") == Answer(rows=2)


def test_a_changed_balance_changes_the_fingerprint_and_other_rows_do_not(ledger):
    query = "SELECT id, points FROM ledger WHERE id <= 2 ORDER BY {}"
    before = asked(ledger, query.format("id"), "unchanged")

    ledger.do("INSERT INTO ledger VALUES (4, 'dan', 1)", "UPDATE ledger SET owner = 'eve' WHERE id = 1")
    with_traffic = asked(ledger, query.format("points DESC"), "unchanged")
    ledger.do("UPDATE ledger SET points = 11 WHERE id = 1")
    changed = asked(ledger, query.format("id"), "unchanged")

    assert before == with_traffic
    assert before.rows == changed.rows == 2
    assert before.fingerprint != changed.fingerprint


def test_two_rows_that_swap_their_balances_are_a_change(ledger):
    before = asked(ledger, "SELECT id, points FROM ledger", "unchanged")

    ledger.do("UPDATE ledger SET points = CASE id WHEN 1 THEN 20.50 ELSE 10 END WHERE id <= 2")

    assert asked(ledger, "SELECT id, points FROM ledger", "unchanged") != before


def test_nothing_at_all_has_a_fingerprint_too(ledger):
    assert asked(ledger, "SELECT * FROM ledger WHERE id > 9", "unchanged") == Answer(rows=0, fingerprint="0")


@pytest.mark.parametrize("expected", ["0", "no rows", "unchanged"])
def test_a_query_that_writes_is_refused_by_the_server(ledger, expected):
    ledger.do(
        "CREATE FUNCTION spend() RETURNS int LANGUAGE sql AS 'UPDATE ledger SET points = 0 RETURNING id'",
    )

    refused = asked(ledger, "SELECT spend()", expected)

    assert refused.sqlstate == "25006"
    assert refused.message.startswith("It does more than read: cannot execute UPDATE")
    assert ledger.rows("SELECT points FROM ledger WHERE id = 1") == [(10,)]


def test_a_query_cannot_make_the_session_write_for_the_next_one(ledger):
    ledger.do("CREATE FUNCTION spend() RETURNS int LANGUAGE sql AS 'UPDATE ledger SET points = 0 RETURNING id'")

    with reading(ledger.target, HOLDER) as opened:
        freed = answer(opened, unread("SELECT set_config('transaction_read_only', 'off', false)"))
        answer(opened, unread("SELECT set_config('default_transaction_read_only', 'off', false)"))
        written = answer(opened, check("SELECT spend()"))

    assert isinstance(freed, Refusal)
    assert written.sqlstate == "25006"


def test_a_slow_query_is_cut_off_and_the_next_one_is_answered(ledger):
    with reading(ledger.target, HOLDER) as opened:
        slow = answer(opened, check("SELECT count(*) FROM ledger, pg_sleep(60)"), limit=SHORT)
        next_one = answer(opened, check("SELECT count(*) FROM ledger"))

    assert slow == Refusal("57014", "It was cut off: it may take 0.5 s.")
    assert next_one == Answer(rows=1, value="3")


def test_a_query_cannot_lengthen_the_limit_of_the_next_one(ledger):
    with reading(ledger.target, HOLDER) as opened:
        longer = answer(opened, unread("SELECT set_config('statement_timeout', '0', false)"), limit=SHORT)
        slow = answer(opened, check("SELECT pg_sleep(60)"), limit=SHORT)

    assert isinstance(longer, Answer)
    assert slow.sqlstate == "57014"


def test_a_locked_table_is_waited_for_briefly(ledger):
    with ledger.connect() as other, other.transaction():
        other.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        with reading(ledger.target, HOLDER) as opened:
            refused = ask(opened, lambda: opened.execute("TABLE ledger"), limit=timedelta(seconds=60), lock_limit=SHORT)

    assert refused == Refusal("55P03", "Another session held a lock on it for more than 0.5 s.")


def test_an_answered_query_keeps_no_lock(ledger):
    with reading(ledger.target, HOLDER) as opened:
        answer(opened, check("SELECT count(*) FROM ledger"))
        answer(opened, check("SELECT count(*) FROM ledger, nowhere"))
        held = ledger.rows("SELECT count(*) FROM pg_locks WHERE relation = 'ledger'::regclass")

    assert held == [(0,)]


@pytest.mark.parametrize(
    ("query", "sqlstate"),
    [
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM ledger", "42703"),
        ("SELECT no_function(id) FROM ledger", "42883"),
        ("SELECT id::no_type FROM ledger", "42704"),
        ("SELECT * FROM no_schema.no_table", "42P01"),
        ("SELECT no_schema.no_function()", "3F000"),
    ],
)
def test_what_is_not_there_is_told_apart_and_named(ledger, query, sqlstate):
    refused = asked(ledger, query)

    assert (refused.sqlstate, refused.is_missing_object) == (sqlstate, True)
    assert "not exist" in refused.message
    assert f"(SQLSTATE {sqlstate})." in refused.message


def test_an_error_shows_no_value_of_a_row(ledger):
    refused = asked(ledger, "SELECT sum(owner::int) FROM ledger")

    assert refused == Refusal("22P02", "The server refused it: invalid text representation (SQLSTATE 22P02).")


def test_an_error_that_a_function_raises_shows_no_value_of_a_row(ledger):
    ledger.do(
        "CREATE FUNCTION complain() RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'ada owes %', (SELECT points FROM ledger WHERE id = 1); END $$"
    )

    refused = asked(ledger, "SELECT complain()")

    assert refused.message == "The server refused it: raise exception (SQLSTATE P0001)."


def test_all_queries_see_one_moment(ledger):
    with reading(ledger.target, HOLDER) as opened:
        first = answer(opened, check("SELECT count(*) FROM ledger"))
        ledger.do("INSERT INTO ledger VALUES (4, 'dan', 1)")
        second = answer(opened, check("SELECT count(*) FROM ledger"))

    assert first.value == second.value == "3"


def test_rows_that_a_policy_hides_are_not_mistaken_for_no_rows(ledger):
    ledger.do(
        "ALTER TABLE ledger ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE ledger FORCE ROW LEVEL SECURITY",
        "CREATE POLICY nobody ON ledger USING (false)",
    )

    refused = asked(ledger, "SELECT * FROM ledger", "no rows")

    assert refused.sqlstate == "42501"
    assert "row-level security" in refused.message


def test_it_asks_as_the_owner_of_the_objects_in_the_name_of_the_holder_and_leaves(ledger):
    ledger.administer("CREATE ROLE verify_owner", "GRANT verify_owner TO package_migrator")
    try:
        with reading(replace(ledger.target, owner_role="verify_owner"), HOLDER) as opened:
            asked_as = answer(opened, check("SELECT current_user"))
            sessions = ledger.sessions(f"application_name = '{HOLDER.session_name}'")
        left = ledger.sessions()
    finally:
        ledger.administer("DROP ROLE verify_owner")

    assert asked_as.value == "verify_owner"
    assert len(sessions) == 1
    assert left == []


def test_a_backslash_in_a_string_splits_no_statement_where_the_server_reads_strings_the_old_way(ledger):
    ledger.administer(
        # In this database alone: other tests use the same role at the same time.
        "DO $$ BEGIN EXECUTE format('ALTER ROLE package_migrator IN DATABASE %I"
        " SET standard_conforming_strings = off', current_database()); END $$"
    )

    found = asked(ledger, r"SELECT length('\') + length('); UPDATE ledger SET points = 0 --')")

    assert found.value == str(len("\\") + len("); UPDATE ledger SET points = 0 --"))


def test_a_lost_connection_is_no_answer(ledger):
    with pytest.raises(LINK_ERRORS), reading(ledger.target, HOLDER) as opened:
        ledger.administer(f"SELECT pg_terminate_backend({opened.info.backend_pid})")
        answer(opened, check("SELECT count(*) FROM ledger"))


def test_a_cancelled_query_is_an_answer_of_the_server(ledger, meanwhile, eventually):
    with reading(ledger.target, HOLDER) as opened:
        asking = meanwhile(answer, opened, check("SELECT pg_sleep(60)"))
        eventually(lambda: ledger.sessions("wait_event = 'PgSleep'"))
        ledger.administer(f"SELECT pg_cancel_backend({opened.info.backend_pid})")
        refused = asking.result(timeout=20)

    assert isinstance(refused, Refusal)
    assert refused.sqlstate == psycopg.errors.QueryCanceled.sqlstate
