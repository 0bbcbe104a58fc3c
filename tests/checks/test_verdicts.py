"""What answers mean: passed, failed, not measured, or only noted."""

from __future__ import annotations

import pytest

from checks.integrity.questions import expectations
from checks.integrity.verdicts import Answer, Refusal, Verdict, judge_after, judge_before, makes_names, removes_names

MISSING = Refusal("42P01", 'The server refused it: relation "ledger" does not exist (SQLSTATE 42P01).')
CUT_OFF = Refusal("57014", "It was cut off: it may take 60 s.")


def check(expected: str):
    (found,) = expectations(f"-- expect: {expected}\nSELECT 1")
    return found


@pytest.mark.parametrize(
    ("expected", "answer", "verdict", "detail"),
    [
        ("0", Answer(1, value="0"), "passed", "0, as expected."),
        ("0", Answer(1, value="3"), "failed", "3; 0 was expected."),
        ("0", Answer(1, value="0.00"), "failed", "0.00; 0 was expected."),
        ("0", Answer(1, value=None), "failed", "NULL; 0 was expected."),
        ("null", Answer(1, value=None), "passed", "NULL, as expected."),
        ("null", Answer(1, value="null"), "failed", "null; null was expected."),
        ("true", Answer(1, value="true"), "passed", "true, as expected."),
        ("'it''s'", Answer(1, value="it's"), "passed", "it's, as expected."),
        ("0", Answer(0), "failed", "0 rows of 1 column; one row with one value, 0, was expected."),
        ("0", Answer(2, value="0"), "failed", "2 rows of 1 column; one row with one value, 0, was expected."),
        ("0", Answer(1, columns=2), "failed", "1 row of 2 columns; one row with one value, 0, was expected."),
        ("no rows", Answer(0), "passed", "No rows."),
        ("no rows", Answer(12), "failed", "12 rows; none were expected."),
        ("no rows", Answer(1), "failed", "1 row; none were expected."),
    ],
)
def test_an_answer_is_compared_with_what_was_expected(expected, answer, verdict, detail):
    judged = judge_after(check(expected), answer)

    assert (judged.verdict, judged.detail) == (verdict, detail)


def test_a_long_value_is_cut_before_it_is_shown():
    judged = judge_after(check("0"), Answer(1, value="secret" * 100))

    assert judged.detail == f"{('secret' * 100)[:99]}…; 0 was expected."


@pytest.mark.parametrize(
    ("before", "after", "original", "verdict", "detail"),
    [
        (Answer(3, fingerprint="7"), Answer(3, fingerprint="7"), None, "passed", "3 rows, unchanged."),
        (Answer(3, fingerprint="7"), Answer(2, fingerprint="7"), None, "failed", "3 rows before, 2 after."),
        (Answer(3, fingerprint="7"), Answer(3, fingerprint="8"), None, "failed", "3 rows before and after, but not"),
        (None, Answer(3, fingerprint="7"), None, "not measured", "3 rows; there is no answer from before"),
        (Answer(3, fingerprint="8"), Answer(3, fingerprint="7"), Answer(3, fingerprint="7"), "passed", "3 rows, again"),
        (None, Answer(3, fingerprint="7"), Answer(3, fingerprint="7"), "passed", "3 rows, again as before the"),
        (Answer(3, fingerprint="8"), Answer(3, fingerprint="7"), Answer(3, fingerprint="9"), "failed", "3 rows before"),
    ],
)
def test_unchanged_compares_number_and_content(before, after, original, verdict, detail):
    judged = judge_after(check("unchanged"), after, before=before, original=original)

    assert judged.verdict == verdict
    assert judged.detail.startswith(detail)


def test_before_nothing_has_passed_yet():
    assert judge_before(Answer(3), is_made_earlier=False).verdict is Verdict.NOTED


@pytest.mark.parametrize(
    ("refusal", "is_made_earlier", "is_way_back", "verdict"),
    [
        (MISSING, False, False, "failed"),
        (MISSING, True, False, "not measured"),
        (CUT_OFF, True, False, "failed"),
        (CUT_OFF, False, True, "not measured"),
        (MISSING, False, True, "not measured"),
    ],
)
def test_a_query_that_fails_before_stops_a_deployment_unless_it_may_need_an_earlier_script(
    refusal, is_made_earlier, is_way_back, verdict
):
    judged = judge_before(refusal, is_made_earlier=is_made_earlier, is_way_back=is_way_back)

    assert judged.verdict == verdict
    assert judged.detail.startswith(refusal.message)


@pytest.mark.parametrize("expected", ["0", "no rows", "unchanged"])
def test_a_query_that_fails_afterwards_is_a_failed_check_unless_a_later_script_may_have_removed_what_it_reads(expected):
    one = check(expected)

    assert judge_after(one, MISSING).verdict is Verdict.FAILED
    assert judge_after(one, MISSING, is_removed_later=True).verdict is Verdict.NOT_MEASURED
    assert judge_after(one, CUT_OFF, is_removed_later=True).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("script", "makes", "removes"),
    [
        ("CREATE TABLE ledger (id int)", True, False),
        ("ALTER TABLE ledger ADD points int", True, False),
        ("CREATE VIEW totals AS SELECT 1", True, False),
        ("DROP TABLE ledger", False, True),
        ("ALTER TABLE ledger DROP points", False, True),
        ("ALTER TABLE ledger RENAME points TO stars", True, True),
        ("ALTER TABLE ledger ALTER points TYPE bigint", True, True),
        ("DO $$ BEGIN EXECUTE 'DROP TABLE ledger'; END $$", True, True),
        ("CREATE INDEX CONCURRENTLY ledger_points ON ledger (points)", False, False),
        ("UPDATE ledger SET points = 0 WHERE id = 1", False, False),
        ("ALTER TABLE ledger ADD CHECK (points > 0) NOT VALID", False, False),
    ],
)
def test_only_a_script_that_makes_or_removes_names_explains_a_missing_one(script, makes, removes):
    assert (makes_names(script), removes_names(script)) == (makes, removes)
