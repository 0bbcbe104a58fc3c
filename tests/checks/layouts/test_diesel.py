"""Diesel: folders, the order that their hyphens hide, metadata.toml."""

from __future__ import annotations

import pytest

from checks.layouts.diesel import Diesel
from tests.checks.layouts.samples import fitting, refusal

LAYOUT = Diesel()


def test_a_migration_is_read_with_everything_that_lies_beside_it():
    files = {
        "2026-01-02-030405_a/up.sql": b"A",
        "2026-01-02-030405_a/down.sql": b"B",
        "2026-01-02-030405_a/verify.sql": b"V",
        "2026-01-02-030405_a/notes.md": b"N",
        "2026-01-02-030405_a/metadata.toml": b"",
        ".diesel_lock": b"",
        "README.md": b"\xff",
    }

    (migration,) = LAYOUT.read(files)

    assert (migration.name, migration.version) == ("2026-01-02-030405_a", "20260102030405")
    assert (migration.forward, migration.rollback, migration.verify, migration.notes) == (b"A", b"B", b"V", b"N")


def test_the_order_is_that_of_the_versions_without_hyphens():
    order = ["00000000000000_setup", "10_x", "2019-12-31-235959_a", "20200101000000_b", "2020-01-01-000001_c", "9_y"]

    found = LAYOUT.read({f"{name}/up.sql": b"" for name in sorted(order)})

    assert [one.name for one in found] == order
    assert sorted(order) != order


@pytest.mark.parametrize(
    ("metadata", "whole"),
    [
        (None, True),
        (b"run_in_transaction = false", False),
        (b"run_in_transaction = true", True),
        (b"", False),  # Diesel's own default of a file without the key
        (b"run_in_transaction = maybe", True),  # and of one that it cannot read
        (b"\xff", True),
    ],
)
def test_metadata_says_whether_it_runs_in_a_transaction(metadata, whole):
    files = {"1_a/up.sql": b""} | ({} if metadata is None else {"1_a/metadata.toml": metadata})

    (migration,) = LAYOUT.read(files)

    assert (migration.is_transactional, migration.is_rollback_transactional) == (whole, whole)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["2026-01-01_a/up.sql", "20260101_b/up.sql"], "duplicate-version"),
        (["1_a/up.sql", "2_b/down.sql"], "forward-missing"),
        (["1_a/up.sql", "2_b/README.md"], "forward-missing"),
        (["1_a/up.sql", "fix.sql"], "unrecognised-file"),
        (["1_a/up.sql", "1_a/fix.sql"], "unrecognised-file"),
        (["1_a/up.sql", "1_a/UP.SQL"], "unrecognised-file"),
        (["1_a/up.sql", "1_a/sub/up.sql"], "unrecognised-file"),
        (["1_a/up.sql", ".old/up.sql"], "unrecognised-file"),
        (["README.md"], "no-migrations"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, dict.fromkeys(files, b"")).code == code


def test_it_is_told_from_prisma_by_its_file():
    assert fitting({"1_a/up.sql": b"", "1_a/down.sql": b""}) == ["diesel"]
    assert fitting({"1_a/migration.sql": b"", "1_a/down.sql": b""}) == ["prisma"]
