"""Plain folders: order, companions, scripts for psql, files that belong to another tool."""

from __future__ import annotations

import pytest

from checks.layouts.plain import Plain
from tests.checks.layouts.samples import fitting, not_analysed, refusal, statements

LAYOUT = Plain()


def test_every_file_is_a_migration_with_what_lies_beside_it():
    files = {
        "007_a.sql": b"A",
        "007_a.down.sql": b"D",
        "007_a.verify.sql": b"V",
        "007_a.notes.md": b"N",
        "8-b.sql": b"B",
        "rollback/8-b.sql": b"R",
        "smoke.sql": b"",
        "README.md": b"\xff",
    }

    first, second = LAYOUT.read(files)

    assert (first.name, first.version) == ("007_a", "007")
    assert (first.forward, first.rollback, first.verify, first.notes) == (b"A", b"D", b"V", b"N")
    assert (second.name, second.rollback) == ("8-b", b"R")
    assert second.paths == {"forward": "8-b.sql", "rollback": "rollback/8-b.sql"}


def test_the_order_is_by_number_where_every_file_has_one_and_by_name_elsewhere():
    def order(*names: str) -> list[str]:
        return [one.name for one in LAYOUT.read({f"{name}.sql": b"" for name in names})]

    assert order("10", "9b", "9 a", "020") == ["9 a", "9b", "10", "020"]
    assert order("10", "9", "b", "A") == ["10", "9", "A", "b"]
    assert LAYOUT.read({"a2.sql": b""})[0].version == ""


def test_nobody_knows_whether_it_runs_in_a_transaction_unless_the_script_says_so():
    files = {
        "1.sql": b"BEGIN;\nSELECT 1;\nEND;\n-- end",
        "2.sql": b"SELECT 1;",
        "2.down.sql": b"START TRANSACTION; COMMIT",
    }

    first, second = LAYOUT.read(files)

    assert (first.is_transactional, first.is_rollback_transactional) == (True, None)
    assert (second.is_transactional, second.is_rollback_transactional) == (None, True)
    assert statements(LAYOUT, first) == [(2, "SELECT 1")]


@pytest.mark.parametrize(
    "line", ["-- +goose Up", "-- +goose down", "-- migrate:up", "-- +migrate Up notransaction", "-- rambler up"]
)
def test_a_file_of_a_tool_that_runs_a_part_of_it_is_refused(line):
    error = refusal(LAYOUT, {"1.sql": f"SELECT 1;\n{line}\n".encode()})

    assert (error.code, error.line) == ("directive-unreadable", 2)
    assert "plain" not in fitting({"1.sql": f"SELECT 1;\n{line}\n".encode()})


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"1.down.sql": b""}, "forward-missing"),
        ({"1.sql": b"", "rollback/2.sql": b""}, "forward-missing"),
        ({"1.sql": b"", "1.down.sql": b"", "rollback/1.sql": b""}, "rollback-ambiguous"),
        ({"1.sql": b"", "2.SQL": b""}, "unrecognised-file"),
        ({"1.sql": b"", ".2.sql": b""}, "unrecognised-file"),
        ({"1.sql": b"", "sub/2.sql": b""}, "unrecognised-file"),
        ({"1.sql": b"", "rollback/sub/1.sql": b""}, "unrecognised-file"),
        ({"smoke.sql": b""}, "no-migrations"),
        ({"1.sql": b"\xff"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, files).code == code


def test_it_is_found_only_where_every_file_is_numbered():
    assert fitting({"1 it's.sql": b"", "002_\u00e9.sql": b"", "1 it's.down.sql": b""}) == ["plain"]
    assert fitting({"2_a.sql": b"", "2_a.down.sql": b""}) == ["plain"]
    assert fitting({"2_a.down.sql": b""}) == ["sql-pairs"]
    assert fitting({"1.sql": b"", "schema.sql": b""}) == []
    assert fitting({"1_a.up.sql": b"", "1_a.down.sql": b""}) == ["sql-pairs"]
    assert fitting({"README.md": b"", "smoke.sql": b""}) == []


def test_too_much_sql_is_not_analysed_but_data_does_not_count(monkeypatch):
    monkeypatch.setattr("checks.layouts.texts.MAX_SQL_CHARACTERS", 100)
    rows = b"x\n" * 500
    data, sql = LAYOUT.read({"1.sql": b"COPY t FROM stdin;\n" + rows + b"\\.\n", "2.sql": b"SELECT 1;" * 50})

    assert statements(LAYOUT, data) == [(1, "COPY t FROM stdin")]
    assert not_analysed(LAYOUT, sql) == (1, "more than 100 characters of SQL are too much to be analysed")
