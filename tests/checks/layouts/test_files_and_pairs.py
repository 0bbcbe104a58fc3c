"""Reading a folder, and pairing its files."""

from __future__ import annotations

import hashlib

import pytest

from checks.errors import CheckError
from checks.layouts import LAYOUTS, detect
from checks.layouts import named as layout_named
from checks.layouts.sql_pairs import SqlPairs
from checks.project import files as files_module
from checks.project.files import read_file, read_folder

LAYOUT = SqlPairs()


def refused(call, *args):
    with pytest.raises(CheckError) as refusal:
        call(*args)
    # Every refusal says what it means and what to do.
    assert str(refusal.value).count(". ") >= 1
    return refusal.value.code


def test_a_folder_is_read_byte_for_byte_and_below(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.sql").write_bytes(b"\xff\r\n")
    (tmp_path / "a.sql").write_bytes(b"")

    assert read_folder(tmp_path) == {"a.sql": b"", "sub/b.sql": b"\xff\r\n"}


def test_a_folder_that_is_not_there_or_empty_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")

    assert refused(read_folder, tmp_path / "missing") == "folder-missing"
    assert refused(read_folder, tmp_path / "file") == "folder-missing"
    assert refused(read_folder, tmp_path / "empty") == "folder-empty"


@pytest.mark.parametrize("target", ["../secret.sql", "nowhere.sql", "link.sql", ".."])
def test_a_link_that_leaves_the_folder_or_leads_nowhere_is_refused(tmp_path, target):
    (tmp_path / "secret.sql").write_text("SELECT 1")
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "link.sql").symlink_to(target)

    assert refused(read_folder, folder) == "symlink-outside"


def test_a_link_within_the_folder_is_read(tmp_path):
    (tmp_path / "a.sql").write_text("SELECT 1")
    (tmp_path / "b.sql").symlink_to("a.sql")

    assert read_folder(tmp_path)["b.sql"] == b"SELECT 1"


def test_a_file_or_a_history_beyond_the_limits_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.sql").write_bytes(b"x" * 11)
    (tmp_path / "b.sql").write_bytes(b"x")
    monkeypatch.setattr(files_module, "MAX_FILE_BYTES", 10)
    assert refused(read_folder, tmp_path) == "file-too-large"

    monkeypatch.setattr(files_module, "MAX_FILES", 1)
    (tmp_path / "a.sql").write_bytes(b"x")
    assert refused(read_folder, tmp_path) == "too-many-files"


def test_pairs_are_read_in_numeric_order_with_what_belongs_to_them():
    files = {
        "10_b.up.sql": b"B",
        "9_a.up.sql": b"A",
        "9_a.down.sql": b"",
        "9_a.verify.sql": b"V",
        "9_a.notes.md": b"N",
        "README.md": b"\xff",
    }

    first, second = LAYOUT.read(files)

    assert (first.name, first.version, first.forward) == ("9_a", "9", b"A")
    assert (first.rollback, first.verify, first.notes) == (b"", b"V", b"N")
    assert first.paths["rollback"] == "9_a.down.sql"
    assert (second.name, second.rollback, second.verify, second.notes) == ("10_b", None, None, None)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"1_a.up.sql": b"", "01_b.up.sql": b""}, "duplicate-version"),
        ({"x/1_a.up.sql": b"", "y/1_a.up.sql": b""}, "duplicate-version"),
        ({"1_a.up.sql": b"", "2_b.down.sql": b""}, "forward-missing"),
        ({"1_a.up.sql": b"", "2_b.notes.md": b""}, "forward-missing"),
        ({"1_a.up.sql": b"", "fix.sql": b""}, "unrecognised-file"),
        ({"1_a.up.sql": b"", "2_b.UP.SQL": b""}, "unrecognised-file"),
        ({"1_a.up.sql": b"", "sub/smoke.sql": b""}, "unrecognised-file"),
        ({"README.md": b""}, "no-migrations"),
        ({"1_a.up.sql": b"ok", "2_b.up.sql": b"SELECT '\xff'"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refused(LAYOUT.read, files) == code


def test_the_refusal_of_other_encodings_names_file_and_byte():
    with pytest.raises(CheckError, match=r"2_b\.up\.sql .*byte 8 "):
        LAYOUT.read({"2_b.up.sql": b"SELECT '\xff'"})


def test_a_layout_is_found_by_its_files_or_by_name(tmp_path):
    (tmp_path / "a.txt").touch()
    assert refused(detect, tmp_path) == "layout-unknown"

    (tmp_path / "1_a.up.sql").touch()
    assert detect(tmp_path).name == "sql-pairs"
    assert layout_named("sql-pairs") in LAYOUTS
    assert refused(layout_named, "nothing") == "layout-unknown"


def test_the_checksum_is_the_sha_256_of_the_bytes():
    assert LAYOUT.checksum(b"\xff\r\n") == hashlib.sha256(b"\xff\r\n").hexdigest()


def test_a_path_that_cannot_even_be_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files_module, "MAX_FILE_BYTES", 10)

    assert refused(read_file, str(tmp_path / "missing.sql")) == "path-missing"
    assert refused(read_file, "a\0b") == "file-unreadable"
    assert refused(read_file, str(tmp_path)) == "file-unreadable"
    assert refused(read_file, "/dev/zero") == "file-too-large"
