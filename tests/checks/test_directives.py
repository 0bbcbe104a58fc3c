"""Comments to us: what they say, what they apply to, and that none is lost."""

from __future__ import annotations

import pytest

from checks.comments.directives import WHOLE_FILE, Kind, directives
from checks.statements import parse


def read(text: str):
    return directives(parse(text))


def one(text: str):
    (directive,) = read(text)
    return directive


def test_a_finding_is_ignored_with_its_code_and_a_reason():
    directive = one("-- locktender: ignore column-dropped: nobody reads it: checked\nSELECT 1;")

    assert (directive.kind, directive.argument, directive.reason) == (
        Kind.IGNORE,
        "column-dropped",
        "nobody reads it: checked",
    )
    assert (directive.line, directive.statement, directive.problem) == (1, 0, "")
    assert directive.is_readable


def test_what_is_lost_is_named_as_sql():
    found = read('--locktender:irreversible Orders.Total, "Old"."a, b" , archive.orders.x: kept elsewhere\nSELECT 1;')

    assert [each.argument for each in found] == ["orders.total", '"Old"."a, b"', "archive.orders.x"]
    assert {each.reason for each in found} == {"kept elsewhere"}
    assert one("-- locktender: irreversible orders\nSELECT 1").reason == ""


def test_several_codes_share_a_reason():
    assert [each.argument for each in read("-- locktender: ignore a-b, c: why\nSELECT 1")] == ["a-b", "c"]


IGNORE = "-- locktender: ignore a: b"


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        (f"SELECT 1;\n{IGNORE}\nSELECT 2;", 1),
        (f"SELECT 1;\n\n{IGNORE}\n\nSELECT 2;", 1),  # a blank line counts at the top alone
        (f"SELECT 1; {IGNORE}\nSELECT 2;", 0),
        (f"SELECT 1\n; {IGNORE}\nSELECT 2;", 0),
        (f"SELECT 1; SELECT 2; {IGNORE}\nSELECT 3;", 1),
        (f"SELECT 1,\n{IGNORE}\n2;\nSELECT 3;", 0),
        (f"SELECT 1, {IGNORE}\n2;", 0),
        (f"SELECT 1;\n/* x */ {IGNORE}\nSELECT 2;", 1),
        (f"{IGNORE}\nSELECT 1;\n\nSELECT 2;", 0),
        (f"{IGNORE}\n-- more\nSELECT 1;", 0),
        (f"{IGNORE}\n\nSELECT 1;", WHOLE_FILE),
        (f"-- head\n{IGNORE}\n-- more\n \r\n-- of the table\nSELECT 1;", WHOLE_FILE),
        (f"-- head\n\n{IGNORE}\nSELECT 1;", 0),
        (f"\ufeff{IGNORE}\r\n\r\nSELECT 1;", WHOLE_FILE),
        (f"\ufeff{IGNORE}\r\nSELECT 1;", 0),
    ],
)
def test_a_comment_applies_to_its_statement_the_next_one_or_the_whole_file(text, statement):
    directive = one(text)

    assert (directive.kind, directive.statement) == (Kind.IGNORE, statement)
    assert directive.covers(0) is (statement in {0, WHOLE_FILE})


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("-- locktender: ignore", "code of the rule is missing"),
        ("-- locktender: ignore a-b", "reason for ignoring a-b is missing"),
        ("-- locktender: ignore a-b:", "reason for ignoring a-b is missing"),
        ("-- locktender: ignore a-b: ...", "reason for ignoring a-b is missing"),
        ("-- locktender: ignore A_B: why", '"A_B" is not the code'),
        ("-- locktender: ignore : why", "code of the rule is missing"),
        ("-- locktender: irreversible", "what is lost is not named"),
        ("-- locktender: irreversible a.b.c.d", "is not the name"),
        ("-- locktender: irreversible all of it", "is not the name"),
        ('-- locktender: irreversible "a', "a quote is not closed"),
        ("-- locktender: ignroe a: b", '"ignroe" is not known'),
        ("-- locktender:", "it says nothing"),
        ("-- locktender ignore a", "reason for ignoring a is missing"),
        ("/* locktender: ignore a: b */", "two dashes"),
        ("/*\n * locktender: ignore a: b\n */", "two dashes"),
        ("-- see -- locktender: ignore a: b", "two dashes"),
        ("SELECT '-- locktender: ignore a: b';", "two dashes"),
        ("SELECT $$\n-- locktender: ignore a: b\n$$;", "two dashes"),
    ],
)
def test_what_cannot_be_read_is_told_and_says_nothing_else(comment, said):
    directive = one(f"{comment}\nSELECT 1;")

    assert directive.kind is Kind.UNREADABLE
    assert not directive.is_readable
    assert said in directive.problem
    assert (directive.argument, directive.reason) == ("", "")


def test_a_comment_that_no_statement_follows_is_told():
    assert "no statement follows" in one(f"SELECT 1;\n{IGNORE}\n").problem
    assert "no statement follows" in one(IGNORE).problem


def test_prose_that_names_us_is_no_directive():
    for text in (
        "-- Locktender applies this at night\nSELECT 1;",
        "SELECT 2 * locktender, 'locktender: ignore a: b' FROM x",
    ):
        assert read(text) == ()


def test_the_lines_are_those_of_the_file_also_among_many_statements():
    text = "SELECT 'é';\n" * 3 + "SELECT 1; -- locktender: ignore a: b\n" * 2 + "/* locktender: x */ SELECT 1;"

    assert [each.line for each in read(text)] == [4, 5, 6]
    assert [each.statement for each in read(text)] == [3, 4, WHOLE_FILE]
