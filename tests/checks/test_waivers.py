"""A comment ignores a finding by code and with a reason, and one that has no effect is told."""

from __future__ import annotations

import pytest

from checks.finding import Finding
from checks.report import Part, judge

SETTING = "SET zero_damaged_pages = on;"
CODE = "setting-not-listed"


def waivers(sql: str, **how: object) -> dict[str, str]:
    """Return the codes found, each with the reason by which it is ignored."""
    return {one.code: one.waived for one in judge(sql, **how).findings}


def told(sql: str, **how: object) -> list[Finding]:
    return [one for one in judge(sql, **how).findings if one.code == "waiver-without-effect"]


@pytest.mark.parametrize(
    "sql",
    [
        f"-- locktender: ignore {CODE}: the disk is broken\n{SETTING}",
        f"{SETTING} -- locktender: ignore {CODE}: the disk is broken",
        f"-- locktender: ignore {CODE}: the disk is broken\n\nSELECT 1;\n{SETTING}",
        f"-- locktender: ignore other-code, {CODE}: the disk is broken\n{SETTING}",
    ],
)
def test_a_finding_is_marked_with_the_reason_and_stays_in_the_report(sql):
    assert waivers(sql)[CODE] == "the disk is broken"


def test_only_the_statement_that_is_meant_is_waived():
    sql = f"SELECT 1;\n-- locktender: ignore {CODE}: the disk is broken\n{SETTING}\n{SETTING}"

    assert [one.waived for one in judge(sql).findings if one.code == CODE] == ["the disk is broken", ""]


def test_a_finding_is_not_waived_without_a_reason_by_another_code_or_in_another_place():
    for sql in (
        f"-- locktender: ignore {CODE}\n{SETTING}",
        f"-- locktender: ignore {CODE}: -\n{SETTING}",
        f"-- locktender: ignore timeout-raised: the disk is broken\n{SETTING}",
        f"/* locktender: ignore {CODE}: the disk is broken */ {SETTING}",
        f"{SETTING}\n-- locktender: ignore {CODE}: the disk is broken",
        f"{SETTING}\n-- locktender: ignore {CODE}: the disk is broken\nSELECT 1;",
    ):
        assert waivers(sql)[CODE] == "", sql
        assert len(told(sql)) == 1, sql


def test_a_blocking_finding_cannot_be_waived_and_the_comment_is_told():
    sql = "-- locktender: ignore transaction-control: we want it so\nBEGIN;"

    assert waivers(sql)["transaction-control"] == ""
    assert "cannot be ignored" in told(sql)[0].message


def test_what_is_told_of_a_comment_names_its_problem_and_its_line():
    (unknown,) = told("SELECT 1;\n-- locktender: ignore no-such-code: why\nSELECT 2;")
    (nothing,) = told(f"-- locktender: ignore {CODE}: why\nSELECT 1;")
    (unreadable,) = told("-- locktender: please\nSELECT 1;")

    assert (unknown.line, unknown.message) == (2, "No check has the code no-such-code, so nothing is ignored.")
    assert nothing.message == f"There is no {CODE} here to be ignored."
    assert "cannot be read" in unreadable.message


def test_a_comment_for_a_check_that_was_not_asked_is_left_alone():
    style = "-- locktender: ignore enum-created: two values for ever\nCREATE TYPE s AS ENUM ('a');"
    verify = "-- locktender: ignore verify-writes: counts visits\nSELECT 1;"

    assert told(style) == []
    assert waivers(style, style=True)["enum-created"] == "two values for ever"
    assert told(verify) == []
    assert len(told(verify, part=Part.VERIFY)) == 1


def test_a_declared_loss_is_no_waiver():
    assert told("-- locktender: irreversible t.a: nobody reads it\nSELECT 1;") == []


def test_many_comments_and_findings_are_matched_in_passing():
    sql = f"-- locktender: ignore {CODE}: the disk is broken\n{SETTING}\n" * 500

    found = [one for one in judge(sql).findings if one.code == CODE]

    assert [one.waived for one in found] == ["the disk is broken"] * 500
    assert told(sql) == []
