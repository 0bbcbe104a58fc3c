"""goose: parts of one file, directives, and statements where goose and PostgreSQL disagree."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from checks.asked import NOT_ANALYSED
from checks.layouts.goose import Goose
from tests.checks.layouts.samples import fitting, not_analysed, refusal, statements
from tests.checks.test_cli import app

LAYOUT = Goose()

WHOLE = b"""-- A comment for both.
-- +goose Up
CREATE TABLE orders (note text DEFAULT '-- +goose');
-- +goose StatementBegin
CREATE FUNCTION touch() RETURNS trigger AS $$
BEGIN
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION touch;
DROP TABLE orders;
"""


def read_one(text: bytes, name: str = "00001_a.sql"):
    (migration,) = LAYOUT.read({name: text})
    return migration


def test_each_part_keeps_the_lines_of_its_file_and_nothing_of_the_other_part():
    migration = read_one(WHOLE)

    assert [line for line, _ in statements(LAYOUT, migration)] == [3, 5]
    assert statements(LAYOUT, migration, "rollback") == [(13, "DROP FUNCTION touch"), (14, "DROP TABLE orders")]
    for script in (migration.forward, migration.rollback):
        assert len(script) == len(WHOLE)
        assert script.startswith(b"-- A comment for both.\n")
    assert b"DROP" not in migration.forward
    assert b"CREATE" not in migration.rollback
    assert migration.paths == {"forward": "00001_a.sql", "rollback": "00001_a.sql"}
    assert (migration.is_transactional, migration.is_rollback_transactional) == (True, True)


def test_a_character_stays_at_its_place_whatever_its_bytes():
    text = "-- +goose Up\nSELECT 'é→𝄞';\n-- +goose Down\nSELECT 1;\n"
    migration = read_one(text.encode())

    assert migration.rollback.decode().index("SELECT 1") == text.index("SELECT 1")


def test_the_order_is_that_of_the_numbers_and_a_go_file_is_a_migration_that_is_not_known():
    up = b"-- +goose Up\nSELECT 1;\n"
    files = {"10_c.sql": up, "9_b.sql": up, "00011_d.go": b"package main", "helpers.go": b"", "12_x_test.go": b""}

    found = LAYOUT.read(files)

    assert [(one.name, one.version) for one in found] == [("9_b", "9"), ("10_c", "10"), ("00011_d", "00011")]
    assert not_analysed(LAYOUT, found[2]) == (1, "it is written in Go, and what it does is not analysed")
    assert found[2].is_transactional is None


def test_directives_are_read_in_any_case_with_any_line_end():
    migration = read_one(b"-- +goose NO TRANSACTION\r\n--  +goose up\r\nSELECT 1;\r\n-- +goose DOWN\r\n-- nothing\r\n")

    assert migration.is_transactional is False
    assert migration.is_rollback_transactional is False
    assert statements(LAYOUT, migration) == [(3, "SELECT 1")]
    assert statements(LAYOUT, migration, "rollback") == []


def test_a_file_without_a_part_down_has_no_way_back():
    assert read_one(b"-- +goose Up\nSELECT 1;").rollback is None


def test_what_an_environment_variable_would_be_is_not_known():
    on = b"-- +goose Up\n-- +goose ENVSUB ON\nSELECT '%s';\n-- +goose ENVSUB OFF\nSELECT '$X';\n"

    line, problem = not_analysed(LAYOUT, read_one(on % b"${REGION}"))

    assert line == 3
    assert "environment variable" in problem
    assert len(statements(LAYOUT, read_one(on % b"none"))) == 2


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("SELECT 1;", 1, "SQL, or a byte order mark, before"),
        ("\ufeff-- +goose Up\nSELECT 1;", 1, "byte order mark"),
        ("-- nothing", 1, "no line -- +goose Up"),
        ("-- +goose Down\n-- +goose Up", 1, "after Up"),
        ("-- +goose Up\n-- +goose Up", 2, "second Up"),
        ("-- +goose Up\n-- +goose Down\n-- +goose Down", 3, "once, after Up"),
        ("-- +goose Up\n-- +goose Sideways", 2, "does not understand"),
        ("-- +goose Up\n  -- +goose Down", 2, "does not understand"),
        ("-- +goose StatementBegin\n-- +goose Up", 1, "inside of Up or Down"),
        ("-- +goose Up\n-- +goose StatementEnd", 2, "without a StatementBegin"),
        ("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;", 2, "has no StatementEnd"),
        ("-- +goose Up\n-- +goose StatementBegin\n-- +goose Down", 3, "between StatementBegin"),
        ("-- +goose Up\nSELECT 1;\nSELECT 2", 3, "no semicolon"),
        ("-- +goose Up\nSELECT 1\n-- +goose Down", 2, "no semicolon"),
        # What goose would send to the server in pieces.
        ("-- +goose Up\nDO $$ BEGIN\n PERFORM 1;\nEND $$;", 3, "StatementBegin is missing"),
        ("-- +goose Up\nSELECT 'a;\nb';", 2, "StatementBegin is missing"),
        ("-- +goose Up\nCREATE RULE r AS ON INSERT TO t DO (\nSELECT 1;\nSELECT 2);", 3, "StatementBegin is missing"),
        ("-- +goose Up\nSELECT 1 /* one;\n*/;", 2, "StatementBegin is missing"),
    ],
)
def test_what_goose_refuses_or_takes_apart_wrongly_is_refused_with_its_line(text, line, said):
    error = refusal(LAYOUT, {"1_a.sql": text.encode()})

    assert (error.code, error.line) == ("directive-unreadable", line)
    assert said in str(error)


def test_a_semicolon_before_a_comment_ends_a_statement_and_one_within_a_comment_does_not():
    text = b"-- +goose Up\nSELECT 1; -- and;\nSELECT 2 -- not yet;\n, 3;\nSELECT 4; SELECT 5;\n"

    assert [line for line, _ in statements(LAYOUT, read_one(text))] == [2, 3, 5, 5]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"1_a.sql": b"", "001_b.sql": b""}, "duplicate-version"),
        ({"1_a.sql": b"", "01_b.go": b""}, "duplicate-version"),
        ({"0_a.sql": b""}, "unrecognised-file"),
        ({"a.sql": b""}, "unrecognised-file"),
        ({"1.sql": b""}, "unrecognised-file"),
        ({"1_a.SQL": b""}, "unrecognised-file"),
        ({".1_a.sql": b""}, "unrecognised-file"),
        ({"sub/1_a.sql": b""}, "unrecognised-file"),
        ({"20260101270000_presets.sql/1_a.sql": b""}, "unrecognised-file"),
        ({"README.md": b"\xff"}, "no-migrations"),
        ({"1_a.sql": b"-- +goose Up\nSELECT '\xff';"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, files).code == code


def test_the_command_judges_each_part_on_its_lines_and_says_what_it_cannot_analyse(tmp_path):
    (tmp_path / "1_a.sql").write_bytes(WHOLE)

    clean = CliRunner().invoke(app, [str(tmp_path), "--format", "json"])
    (tmp_path / "2_b.go").write_text("package main")
    unknown = CliRunner().invoke(app, [str(tmp_path), "--format", "json"])

    scripts = json.loads(clean.stdout)["scripts"]
    assert [one["part"] for one in scripts] == ["forward", "rollback"]
    assert {finding["line"] for finding in scripts[1]["findings"]} <= {13, 14}
    assert unknown.exit_code == NOT_ANALYSED != clean.exit_code


def test_it_is_told_from_others_by_its_directive():
    assert fitting({"1_a.sql": b"-- +goose Up\r\n"}) == ["goose"]
    assert fitting({"1_a.sql": b"-- goose Up\n"}) == ["plain"]
    assert fitting({"a.sql": b"-- +goose Up\n"}) == []
