"""A script in passages is still the script."""

import pytest

from deployments.views.passages import passages


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_script_in_passages_is_the_script_again(newline):
    text = newline.join(
        [
            "-- first",
            "",
            "UPDATE points SET a = ';';  -- why",
            "SELECT 1; SELECT 2 ;",
            "DROP TABLE points",
            "-- end",
            "",
        ]
    )
    findings = [{"line": line, "column": 1, "severity": "warning"} for line in (3, 5)]

    parts = passages(text, findings)

    assert "".join(one.text for one in parts) == text
    assert [one.title for one in parts] == ["1. UPDATE", "2 to 3. SELECT", "4. DROP TABLE"]
    assert [[(mark.first, mark.last) for mark in one.marks] for one in parts] == [[(3, 3)], [], [(1, 2)]]


def test_a_script_that_cannot_be_read_is_one_passage():
    assert [one.text for one in passages("nonsense; here;", [])] == ["nonsense; here;"]
