"""dbmate: blocks, their options, several pairs in one file."""

from __future__ import annotations

import pytest

from checks.layouts.dbmate import Dbmate
from tests.checks.layouts.samples import fitting, refusal, statements

LAYOUT = Dbmate()
PAIR = b"-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"


def read_one(text: bytes):
    (migration,) = LAYOUT.read({"1_a.sql": text})
    return migration


def test_blocks_keep_the_lines_of_their_file_and_their_own_transaction():
    migration = read_one(
        b"-- head\n\n-- migrate:up transaction:false\r\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
        b"-- migrate:down\nDROP INDEX i;\n"
    )

    assert statements(LAYOUT, migration) == [(4, "CREATE INDEX CONCURRENTLY i ON t (a)")]
    assert statements(LAYOUT, migration, "rollback") == [(6, "DROP INDEX i")]
    assert (migration.is_transactional, migration.is_rollback_transactional) == (False, True)
    assert migration.paths == {"forward": "1_a.sql", "rollback": "1_a.sql"}


def test_several_pairs_are_one_migration_each_part_in_the_order_of_the_file():
    second = b"-- migrate:up transaction:false\nSELECT 3;\n-- migrate:down\nSELECT 4;\n"

    migration = read_one(PAIR + second)

    assert statements(LAYOUT, migration) == [(2, "SELECT 1"), (6, "SELECT 3")]
    assert statements(LAYOUT, migration, "rollback") == [(4, "SELECT 2"), (8, "SELECT 4")]
    # One of the two runs in a transaction, so there is no one answer.
    assert (migration.is_transactional, migration.is_rollback_transactional) == (None, True)


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        ("", True),
        (" transaction:false", False),
        ("\ttransaction:true x", True),
        (" transaction:no", True),
        (" transaction:false transaction:true", True),
        (" transaction: false", True),
        (" a:b transaction:false", False),
    ],
)
def test_only_the_word_false_takes_the_transaction_away(options, whole):
    assert read_one(PAIR.replace(b"up", b"up" + options.encode(), 1)).is_transactional is whole


def test_an_empty_way_back_is_there_but_holds_no_statement():
    migration = read_one(b"-- migrate:up\nSELECT 1;\n-- migrate:down\n-- nothing\n")

    assert migration.rollback is not None
    assert statements(LAYOUT, migration, "rollback") == []


def test_the_order_is_that_of_the_names_as_text():
    found = LAYOUT.read(dict.fromkeys(("9_a.sql", "10_b.sql", "8B.sql", "20260101.sql"), PAIR))

    assert [one.name for one in found] == ["10_b", "20260101", "8B", "9_a"]
    assert [one.version for one in found] == ["10", "20260101", "8", "9"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 0;\n-- migrate:up\n-- migrate:down", 1),
        ("\ufeff-- migrate:up\n-- migrate:down", 1),
        ("-- migrate:up\nSELECT 1;", 1),
        ("-- migrate:down\n-- migrate:up", 1),
        ("-- migrate:up\n-- migrate:down\n-- migrate:down", 3),
        ("-- migrate:up\n-- migrate:up\n-- migrate:down", 2),
        ("-- migrate:up\n-- migrate:down\n-- migrate:up", 3),
        ("-- migrate:upward", 1),
        (" -- migrate:up\n -- migrate:down", 1),
    ],
)
def test_what_dbmate_refuses_is_refused_with_its_line(text, line):
    error = refusal(LAYOUT, {"1_a.sql": text.encode()})

    assert (error.code, error.line) == ("directive-unreadable", line)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"01_a.sql": PAIR, "01_b.sql": PAIR}, "duplicate-version"),
        ({"a.sql": PAIR}, "unrecognised-file"),
        ({"1_a.SQL": PAIR}, "unrecognised-file"),
        ({"sub/1_a.sql": PAIR}, "unrecognised-file"),
        ({"schema.txt": b""}, "no-migrations"),
        ({"1_a.sql": b"-- migrate:up\n\xff\n-- migrate:down"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, files).code == code


def test_it_is_told_from_others_by_its_directive():
    assert fitting({"1_a.sql": PAIR}) == ["dbmate"]
    assert fitting({"1_a.sql": PAIR, "smoke.sql": b""}) == ["dbmate"]
