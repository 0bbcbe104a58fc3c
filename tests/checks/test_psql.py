"""What a client takes out of a script: data and commands, never a wrong split."""

from __future__ import annotations

import pytest

from checks.errors import Unparsable
from checks.layouts.psql import Cut, is_framed, is_open, pieces, without_data, without_frame
from checks.statements import parse


def cut(text: str) -> list[tuple[int, str]]:
    """Return line and text of the statements that are left, and see that every character stays at its place."""
    left = without_data(text, commands=True)
    assert len(left) == len(text)
    assert [place for place, one in enumerate(left) if one == "\n"] == [
        place for place, one in enumerate(text) if one == "\n"
    ]
    assert all(one in {" ", two} for one, two in zip(left, text, strict=True))
    return [(one.line, one.sql) for one in parse(left).statements]


def test_data_of_copy_is_cut_whatever_it_looks_like():
    data = "O'Brien; DROP TABLE t;\n$$ /* \" --\n\\N\t\\\\.\n \\.\n\\.x\n"

    for end in ("\n", "\r\n"):
        text = f"SELECT 1;\nCOPY t (a) FROM STDIN WITH (FORMAT text); -- rows\n{data}\\.\nSELECT 2;\n".replace(
            "\n", end
        )
        assert [line for line, _ in cut(text)] == [1, 2, 9]


def test_data_without_an_end_goes_to_the_end_of_the_file_as_psql_takes_it():
    assert [line for line, _ in cut("COPY t FROM stdin;\nDELETE FROM t;\n")] == [1]
    assert [line for line, _ in cut("COPY t FROM stdin;")] == [1]


def test_only_copy_from_stdin_has_data():
    for text in (
        "COPY t FROM '/stdin';\nSELECT 1;",
        "COPY t TO stdout;\nSELECT 1;",
        "SELECT 'COPY t FROM stdin';\nSELECT 1;",
        "-- COPY t FROM stdin;\nSELECT 0;\nSELECT 1;",
        "CREATE TABLE stdin (a int);\nSELECT 1;",
    ):
        assert len(cut(text)) == 2


def test_sql_behind_copy_on_its_line_is_refused_with_the_place():
    with pytest.raises(Unparsable) as refused:
        without_data("SELECT 0;\nCOPY t FROM stdin; SELECT 1;\n1\n\\.\n", commands=True)

    assert (refused.value.line, refused.value.column) == (2, 19)


@pytest.mark.parametrize(
    "line",
    [
        "\\restrict aBc",
        "\\set ON_ERROR_STOP on",
        "  \\echo 'it''s; here'",
        "\\d+ orders",
        "\\timing",
        "\\pset pager off",
        "\\x",
    ],
)
def test_commands_that_only_print_are_cut_where_commands_are_understood(line):
    text = f"SELECT 1;\n{line}\nSELECT 2;\n"

    assert cut(text) == [(1, "SELECT 1"), (3, "SELECT 2")]
    assert cut(text.replace("SELECT 1;", "SELECT 1,")[:-10] + "2;\n") == [(1, f"SELECT 1,\n{' ' * len(line)}\n2")]
    with pytest.raises(Unparsable) as refused:
        parse(without_data(text, commands=False))
    assert refused.value.line == 2


@pytest.mark.parametrize(
    "line",
    [
        "\\i other.sql",
        "\\ir other.sql",
        "\\include x",
        "\\copy t FROM 'x'",
        "\\connect other",
        "\\c other",
        "\\! rm -r x",
        "\\if true",
        "\\endif",
        "\\gexec",
        "\\g",
        "\\q",
        "\\set AUTOCOMMIT off",
        "\\set table orders",
        "\\set",
        "\\r",
        "\\;",
        "\\echo `rm x`",
        "\\echo a \\\\ DROP TABLE t;",
        "\\",
        "\\1",
        "\\D",
        "\\encoding latin1",
        "SELECT 1 \\gset",
        "SELECT 1; \\echo x",
    ],
)
def test_a_command_that_changes_what_runs_is_refused_with_its_line(line):
    with pytest.raises(Unparsable) as refused:
        without_data(f"SELECT 0;\n{line}\nSELECT 2;\n", commands=True)

    assert refused.value.line == 2
    assert "psql" in refused.value.problem


@pytest.mark.parametrize(
    "quoted",
    [
        "'\\echo y\n\\i y'",
        "E'\\'\n\\i y'",
        '"\n\\i ""y"',
        "$$\n\\i y$$",
        "$a$ $$\n\\i y\n$b$ $a$",
        "/* /*\n\\i y */ ' */ 1",
        "1 -- '\n",
        "'a''\n\\i'",
        "e'\\\\'",
        "U&'\\0061'",
        "f$$\n",
    ],
)
def test_a_backslash_inside_of_quotes_and_comments_is_no_command(quoted):
    text = f"SELECT {quoted};\n\\echo x\nSELECT 2;\n"

    assert len([piece for piece in pieces(text) if piece.kind is Cut.COMMAND]) == 1
    assert without_data(text, commands=True) == text.replace("\\echo x", "       ")


def test_semicolons_inside_of_statements_end_nothing():
    bodies = (
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
        "DO $do$ BEGIN PERFORM 1; END $do$;",
    )
    for body in bodies:
        assert len([piece for piece in pieces(f"{body} SELECT 1;") if piece.kind is Cut.STATEMENT]) == 2


def test_the_frame_of_a_script_is_found_where_it_holds_everything():
    framed = "-- a\nBEGIN;\nSELECT 'COMMIT;';\nSAVEPOINT s;\ncommit; -- b\n"

    assert without_frame(framed) == framed.replace("BEGIN;", "      ").replace("commit;", "       ")
    for text in ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1; END;", "begin work; end work"):
        assert is_framed(text)
    for text in (
        "BEGIN; SELECT 1;",
        "SELECT 1; COMMIT;",
        "BEGIN; COMMIT; BEGIN; COMMIT;",
        "SELECT 0; BEGIN; COMMIT;",
        "BEGIN; SELECT 1; ROLLBACK;",
        "BEGIN; PREPARE TRANSACTION 'x';",
        "COMMIT;",
        "",
        "BEGIN; COMMIT; SELECT 1;",
        "BEGIN; COMMIT PREPARED 'x';",
        "BEGIN;\n\\i x\nCOMMIT;",
    ):
        assert not is_framed(text)
    assert without_frame("BEGIN; SELECT 1; ROLLBACK;", ends="rollback") == "       SELECT 1;          "


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SELECT 1;", False),
        ("SELECT 'a;", True),
        ('SELECT "a;', True),
        ("DO $$ a;", True),
        ("/* a;", True),
        ("(SELECT 1;", True),
        ("SELECT 1; -- '", False),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;", True),
        ("a$$b;", False),
    ],
)
def test_an_open_end_is_noticed(text, answer):
    assert is_open(text) is answer


def test_hostile_text_is_taken_apart_in_one_walk():
    for text in (
        "(" * 20_000,
        "/*" * 20_000,
        "$a$" * 20_001,
        "'" * 20_001,
        "SELECT (1) /* a */ -- b\n" * 4_000,
        "\\\\" * 20_000,
        "BEGIN ATOMIC " * 20_000,
        ";" * 20_000,
    ):
        list(pieces(text))
        is_open(text)
