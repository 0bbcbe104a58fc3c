"""What became of constraints, indexes, foreign keys and rows: what fails, and what is only shown."""

from __future__ import annotations

import json

import pytest

from checks.integrity.invariants import (
    Found,
    Item,
    Orphans,
    Rows,
    compared,
    judge_constraint,
    judge_index,
    judge_orphans,
    judge_rows,
    noted,
    row_changes,
)

NO_CHANGES = row_changes(["ALTER TABLE ledger ADD note text"])
VALID, NOT_VALID = (Item("public.ledger", "ledger_owner", is_valid) for is_valid in (True, False))
PART = Item("public.ledger", "ledger_owner", is_valid=False, may_be_invalid=True)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "detail"),
    [
        (VALID, VALID, "passed", "Valid."),
        (None, VALID, "passed", "New, and valid."),
        (NOT_VALID, VALID, "passed", "Valid."),
        (VALID, NOT_VALID, "failed", "It was valid before and is not valid now."),
        (None, NOT_VALID, "noted", "New, and to be validated"),
        (NOT_VALID, NOT_VALID, "noted", "To be validated, as before."),
        (VALID, None, "noted", "It is gone."),
    ],
)
def test_a_constraint_fails_only_when_it_was_valid_and_is_not_any_more(before, after, verdict, detail):
    judged = judge_constraint(before, after)

    assert judged.verdict == verdict
    assert judged.detail.startswith(detail)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "detail"),
    [
        (VALID, VALID, "passed", "Valid."),
        (None, NOT_VALID, "failed", "It is invalid"),
        (VALID, NOT_VALID, "failed", "It is invalid"),
        (NOT_VALID, NOT_VALID, "noted", "Invalid, as before"),
        (None, PART, "noted", "Not on every partition yet."),
        (NOT_VALID, None, "noted", "It is gone."),
    ],
)
def test_an_index_fails_when_it_is_invalid_and_was_not(before, after, verdict, detail):
    judged = judge_index(before, after)

    assert judged.verdict == verdict
    assert judged.detail.startswith(detail)


def orphans(count: int | None, *, is_valid: bool = True) -> Orphans:
    return Orphans("public.ledger", "ledger_owner", is_valid, count, "" if count is not None else "It took too long.")


@pytest.mark.parametrize(
    ("before", "after", "verdict", "detail"),
    [
        (orphans(0), orphans(0), "passed", "Every row refers to one that is there."),
        (orphans(2), orphans(3), "failed", "3 rows refer to nothing; before it was 2."),
        (orphans(2), orphans(2), "noted", "2 rows refer to nothing, not more than before (2)."),
        (orphans(2), orphans(1), "noted", "1 row refers to nothing, not more than before (2)."),
        (None, orphans(1), "failed", "1 row refers to nothing; before it was 0."),
        (None, orphans(1, is_valid=False), "noted", "1 row refers to nothing; how many it was before is not known."),
        (orphans(None), orphans(1), "noted", "1 row refers to nothing; how many it was before is not known."),
        (orphans(0), orphans(None), "not measured", "It took too long."),
        (orphans(0), None, "noted", "The foreign key is gone."),
    ],
)
def test_rows_that_refer_to_nothing_fail_when_there_are_more_of_them(before, after, verdict, detail):
    judged = judge_orphans(before, after)

    assert (judged.verdict, judged.detail) == (verdict, detail)


def rows(count: int | None, **options) -> Rows:
    return Rows("public.ledger", count, **options)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "detail"),
    [
        (rows(5), rows(5), "noted", "As many as before."),
        (rows(5), rows(7), "noted", "5 before: moved by traffic."),
        (rows(5), None, "noted", "The table is gone."),
        (None, rows(5), "noted", "The table is new."),
        (None, rows(5, is_estimate=True), "noted", "The table is new, this is an estimate."),
        (rows(None), rows(5), "noted", "Not measured before."),
        (rows(5), rows(None, reason="It took too long."), "not measured", "It took too long."),
        (rows(5), rows(7, is_estimate=True), "noted", "Estimate; 5 before. Estimates do not tell a difference."),
        (rows(5, is_estimate=True), rows(5), "noted", "Estimate; 5 before. Estimates do not tell a difference."),
    ],
)
def test_row_counts_are_shown_and_never_fail(before, after, verdict, detail):
    judged = judge_rows(before, after, NO_CHANGES)

    assert (judged.verdict, judged.detail) == (verdict, detail)


@pytest.mark.parametrize(
    ("script", "label"),
    [
        ("ALTER TABLE ledger ADD note text; CREATE INDEX ON ledger (note)", "moved by traffic."),
        ("DELETE FROM ledger WHERE id = 1", "changed by this plan or by traffic."),
        ("TRUNCATE public.ledger", "changed by this plan or by traffic."),
        ('INSERT INTO public."ledger" VALUES (1)', "changed by this plan or by traffic."),
        ("DO $$ BEGIN PERFORM 1; END $$", "changed by this plan or by traffic."),
        ("SELECT tidy_up()", "changed by this plan or by traffic."),
        ("ALTER TABLE ledger DETACH PARTITION ledger_2024", "changed by this plan or by traffic."),
        ("DELETE FROM users WHERE id = 1", "moved by traffic, or by what this plan does elsewhere."),
        ("DELETE FROM archive.ledger WHERE id = 1", "moved by traffic, or by what this plan does elsewhere."),
        ("DROP TABLE ledger_2024", "moved by traffic, or by what this plan does elsewhere."),
    ],
)
def test_a_difference_is_traffic_only_where_the_plan_cannot_have_made_it(script, label):
    judged = judge_rows(rows(5), rows(4), row_changes([script]))

    assert judged.detail == f"5 before: {label}"


def test_evidence_goes_through_json_and_back():
    found = Found(constraints=(VALID,), indexes=(PART,), orphans=(orphans(None),), rows=(rows(5, is_estimate=True),))

    evidence = json.loads(json.dumps(noted(found)))

    assert Found.of_evidence(evidence) == found
    assert {entry["verdict"] for part in evidence.values() for entry in part} == {"noted", "not measured"}
    assert Found.of_evidence({}) == Found()


def test_everything_of_before_and_after_is_in_the_evidence_once():
    gone, new = Item("public.a", "gone", is_valid=True), Item("public.b", "new", is_valid=False)

    evidence = compared(Found(constraints=(gone, VALID)), Found(constraints=(VALID, new)), NO_CHANGES)

    assert [(one["name"], one["verdict"], one["is_gone"]) for one in evidence["constraints"]] == [
        ("gone", "noted", True),
        ("new", "noted", False),
        ("ledger_owner", "passed", False),
    ]
    assert json.loads(json.dumps(evidence)) == evidence
    assert Found.of_evidence(evidence).constraints == (gone, new, VALID)
