"""Verify and smoke scripts as their authors write them: what is read, and what is refused before anything runs."""

from __future__ import annotations

import pytest

from checks.errors import Unparsable
from checks.integrity.questions import (
    CheckNotAQuery,
    ExpectationAlone,
    ExpectationMissing,
    ExpectationTwice,
    ExpectationUnknown,
    Form,
    NoChecks,
    NothingToCompare,
    UnreadableCheck,
    expectations,
)

SCRIPT = """\
-- Verify script of the ledger.

-- No entry without its owner,
-- whoever made it
-- expect: 0
SELECT count(*) FROM ledger
WHERE owner IS NULL; -- that would be one

-- expect: no rows
SELECT 'a;b -- expect: 1' FROM ledger WHERE points < 0;

-- The balance of the founders
-- EXPECT :  Unchanged
WITH founders AS (SELECT * FROM users WHERE id < 10)
SELECT id, balance FROM founders
"""


def test_every_statement_is_read_with_what_is_expected_of_it():
    first, second, third = expectations(SCRIPT)

    assert (first.number, first.line, first.form, first.value) == (1, 6, Form.VALUE, "0")
    assert first.sql == "SELECT count(*) FROM ledger\nWHERE owner IS NULL"
    assert (second.number, second.line, second.form) == (2, 10, Form.NO_ROWS)
    assert (third.number, third.line, third.form, third.expectation) == (3, 14, Form.UNCHANGED, "unchanged")
    assert third.sql.endswith("FROM founders")


def test_the_comment_above_the_expectation_is_the_title_and_else_the_query_is():
    first, second, third = expectations(SCRIPT)

    assert first.title == "No entry without its owner, whoever made it"
    assert second.title == "SELECT 'a;b -- expect: 1' FROM ledger WHERE points < 0"
    assert third.title == "The balance of the founders"


def test_a_long_title_is_cut():
    (check,) = expectations(f"-- expect: 0\nSELECT {' + '.join(['count(*)'] * 100)} FROM ledger")

    assert len(check.title) == 120
    assert check.title.endswith("…")


@pytest.mark.parametrize(
    ("written", "form", "value", "shown"),
    [
        ("-- expect: 0", Form.VALUE, "0", "0"),
        ("--expect:-12.50", Form.VALUE, "-12.50", "-12.50"),
        ("-- expect: +3", Form.VALUE, "3", "3"),
        ("-- Expect: 'it''s; -- fine'", Form.VALUE, "it's; -- fine", "'it''s; -- fine'"),
        ("-- expect: 'no rows'", Form.VALUE, "no rows", "'no rows'"),
        ("-- expect: TRUE", Form.VALUE, "true", "true"),
        ("-- expect: null", Form.VALUE, None, "null"),
        ("--- expect:\tNO \t Rows  ", Form.NO_ROWS, None, "no rows"),
        ("\t-- expect: unchanged\r", Form.UNCHANGED, None, "unchanged"),
    ],
)
def test_case_and_space_do_not_matter_and_text_stands_in_quotes(written, form, value, shown):
    (check,) = expectations(f"{written}\nTABLE ledger;")

    assert (check.form, check.value, check.expectation) == (form, value, shown)


@pytest.mark.parametrize("query", ["SELECT 1", "VALUES (1)", "TABLE ledger", "(SELECT 1) UNION (SELECT 2)",
                                   "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT own_function(1)"])  # fmt: skip
def test_whatever_only_asks_is_a_check(query):
    (check,) = expectations(f"-- expect: 1\n{query};")

    assert check.sql == query


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("UPDATE ledger SET points = 0 WHERE id = 1", "UPDATE is no question"),
        ("WITH gone AS (DELETE FROM ledger WHERE id = 1 RETURNING id) SELECT * FROM gone", "SELECT with delete"),
        ("SELECT * INTO copy FROM ledger", "SELECT with create table"),
        ("SELECT * FROM ledger FOR UPDATE", "SELECT with row locks"),
        ("SELECT * FROM (SELECT * FROM ledger FOR SHARE) AS locked", "SELECT with row locks"),
        ("SELECT set_config('role', 'postgres', true)", "SELECT with change session role"),
        ("SELECT setval('ledger_id_seq', 1)", "SELECT with alter object"),
        ("EXPLAIN SELECT 1", "EXPLAIN is no question"),
        ("SET statement_timeout = 0", "SET is no question"),
        ("BEGIN", "BEGIN is no question"),
        ("DO $$ BEGIN END $$", "DO is no question"),
        ("COPY ledger TO STDOUT", "COPY is no question"),
    ],
)
def test_what_does_more_than_ask_is_refused(query, told):
    with pytest.raises(CheckNotAQuery, match=told):
        expectations(f"-- expect: 0\n{query};")


@pytest.mark.parametrize(
    ("text", "refusal", "line"),
    [
        ("", NoChecks, 1),
        ("-- nothing here\n/* -- expect: 0 */ ;", NoChecks, 1),
        ("SELECT 1;", ExpectationMissing, 1),
        ("-- expect: 1\nSELECT 1;\n-- expected: 2\nSELECT 2;", ExpectationMissing, 4),
        ("/* expect: 1 */\nSELECT 1", ExpectationMissing, 2),
        ("-- expect: 0", ExpectationAlone, 1),
        ("-- expect: 1\nSELECT 1;\n-- expect: 2", ExpectationAlone, 3),
        ("-- expect: 1\nSELECT 1\n-- expect: 2", ExpectationAlone, 3),
        ("-- expect: 1\nSELECT -- expect: 2\n1;", ExpectationAlone, 2),
        ("-- expect: 1\nSELECT 1; -- expect: 2\nSELECT 2;", ExpectationAlone, 2),
        ("-- expect: 1\n\n-- expect: no rows\nSELECT 1;", ExpectationTwice, 3),
        ("-- expect:\nSELECT 1;", ExpectationUnknown, 1),
        ("-- expect: uncahnged\nSELECT 1;", ExpectationUnknown, 1),
        ("-- expect: no row\nSELECT 1;", ExpectationUnknown, 1),
        ("-- expect: 0;\nSELECT 1;", ExpectationUnknown, 1),
        ("-- expect: active\nSELECT 1;", ExpectationUnknown, 1),
    ],
)
def test_a_script_that_could_not_fail_or_is_not_clear_is_refused_with_its_line(text, refusal, line):
    with pytest.raises(UnreadableCheck) as refused:
        expectations(text)

    assert (type(refused.value), refused.value.line) == (refusal, line)
    assert str(refused.value).startswith(f"Line {line}: ")
    assert "None of the script was run." in str(refused.value)


def test_what_cannot_be_parsed_is_refused_as_such():
    with pytest.raises(Unparsable, match="Line 2, column 1"):
        expectations("-- expect: 0\nSELEC 1;")


def test_unchanged_is_refused_where_there_is_no_before():
    with pytest.raises(NothingToCompare, match="Line 13: this script is asked once"):
        expectations(SCRIPT, may_compare=False)


def test_letters_of_many_bytes_and_a_byte_order_mark_move_nothing():
    text = "\ufeff-- expect: 'ü'\nSELECT 'Ünï€😀';\n-- 😀 €\n-- expect: 0\nSELECT 2"

    first, second = expectations(text)

    assert (first.value, first.sql) == ("ü", "SELECT 'Ünï€😀'")
    assert (second.line, second.title, second.sql) == (5, "😀 €", "SELECT 2")
