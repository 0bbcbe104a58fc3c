"""Prisma's folders: paired as Prisma names them, ordered as Prisma orders them, nothing left out silently."""

from __future__ import annotations

import hashlib
import json

import pytest
import typer
from typer.testing import CliRunner

from checks.command import check
from checks.errors import CheckError
from checks.layouts import detect, named, read_files, smoke_script
from checks.layouts.prisma import Prisma
from checks.layouts.sql_pairs import SqlPairs

LAYOUT = Prisma()
app = typer.Typer()
app.command()(check)


def write(root, *paths):
    """Write files below a folder, each with its own path as a comment."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"-- {path}")


def refused(files):
    with pytest.raises(CheckError) as refusal:
        LAYOUT.read(files)
    assert str(refusal.value).count(". ") >= 1  # every refusal says what it means and what to do
    return refusal.value.code


def test_a_migration_is_read_with_everything_that_lies_beside_it():
    files = {
        "20260102030405_add_total/migration.sql": b"A\r\n",
        "20260102030405_add_total/rollback.sql": b"",
        "20260102030405_add_total/verify.sql": b"V",
        "20260102030405_add_total/notes.md": b"N",
        "20260102030405_add_total/plan.png": b"\xff",
        "20260201000000_later/migration.sql": b"B",
        "migration_lock.toml": b'provider = "postgresql"',
        "smoke.sql": b"SELECT 1",
    }

    first, second = LAYOUT.read(files)

    assert (first.name, first.version) == ("20260102030405_add_total", "20260102030405")
    assert (first.forward, first.rollback, first.verify, first.notes) == (b"A\r\n", b"", b"V", b"N")
    assert first.paths["rollback"] == "20260102030405_add_total/rollback.sql"
    assert set(first.paths) == {"forward", "rollback", "verify", "notes"}
    assert (second.name, second.rollback, second.verify, second.notes) == ("20260201000000_later", None, None, None)


@pytest.mark.parametrize("name", ["rollback.sql", "down.sql", "rollback_add_total.sql", "rollback_2026_add_total.sql"])
def test_a_rollback_may_have_any_of_the_names_that_are_in_use(name):
    (migration,) = LAYOUT.read({"2026_add_total/migration.sql": b"A", f"2026_add_total/{name}": b"R"})

    assert migration.rollback == b"R"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"1_a/rollback.sql": b"", "1_a/down.sql": b""}, "rollback-ambiguous"),
        ({"1_a/rollback_a.sql": b"", "1_a/rollback_b.sql": b""}, "rollback-ambiguous"),
        ({"2_b/rollback.sql": b""}, "forward-missing"),
        ({"2_b/notes.md": b""}, "forward-missing"),
        ({"2_b/README.md": b""}, "forward-missing"),  # Prisma refuses such a folder too (P3015)
        ({"2_b/sub/README.md": b""}, "forward-missing"),
        ({"1_a/fix.sql": b""}, "unrecognised-file"),
        ({"1_a/Migration.SQL": b""}, "unrecognised-file"),
        ({"1_a/smoke.sql": b""}, "unrecognised-file"),
        ({"1_a/rollback_.sql": b""}, "unrecognised-file"),
        ({"1_a/sub/migration.sql": b""}, "unrecognised-file"),
        ({"migration.sql": b""}, "unrecognised-file"),
        ({"3_c.up.sql": b""}, "unrecognised-file"),
        ({"1_a/verify.sql": b"SELECT '\xff'"}, "not-utf-8"),
        ({"1_a/notes.md": b"\xff"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refused({"1_a/migration.sql": b""} | files) == code


def test_a_folder_without_a_migration_is_not_an_empty_history():
    assert refused({"migration_lock.toml": b"", "smoke.sql": b""}) == "no-migrations"


def test_the_order_is_that_of_the_folders_names_as_prisma_compares_them():
    order = ["0_init", "1_x", "10_x", "20260101_a", "20260101_B", "20260101_b_c", "20260101_b-c", "20260101_b1", "add"]

    assert [one.name for one in LAYOUT.read({f"{name}/migration.sql": b"" for name in sorted(order)})] == order


def test_names_that_differ_in_case_alone_have_one_order_whatever_the_folder_gives_first():
    for names in (("1_A", "1_a"), ("1_a", "1_A")):
        assert [one.name for one in LAYOUT.read({f"{name}/migration.sql": b"" for name in names})] == ["1_a", "1_A"]


def test_two_folders_may_share_a_timestamp_and_a_folder_may_have_none():
    read = LAYOUT.read({"2026_b/migration.sql": b"", "2026_a/migration.sql": b"", "init/migration.sql": b""})

    assert [(one.name, one.version) for one in read] == [("2026_a", "2026"), ("2026_b", "2026"), ("init", "init")]


def test_the_checksum_is_the_one_prisma_keeps():
    assert LAYOUT.checksum(b"\xff\r\n") == hashlib.sha256(b"\xff\r\n").hexdigest()


@pytest.mark.parametrize("inside", ["", "prisma/migrations/", "migrations/"])
def test_prisma_and_pairs_are_told_apart_wherever_the_source_points_to(tmp_path, inside):
    write(tmp_path, f"one/{inside}1_a/migration.sql", f"one/{inside}1_a/down.sql")
    write(tmp_path, f"empty/{inside}migration_lock.toml")
    write(tmp_path, f"pairs/{inside}1_a.up.sql", f"pairs/{inside}1_a.down.sql")

    assert [detect(tmp_path / name).name for name in ("one", "empty", "pairs")] == ["prisma", "prisma", "sql-pairs"]


def test_of_a_project_only_the_folder_of_the_migrations_is_read(tmp_path):
    write(tmp_path, "schema.sql", "prisma/schema.prisma", "prisma/migrations/smoke.sql")
    write(tmp_path, "prisma/migrations/1_a/migration.sql")
    (tmp_path / "node_modules").symlink_to("/nowhere")

    read = [read_files(tmp_path / place, named("prisma")) for place in ("", "prisma", "prisma/migrations")]

    assert [set(files) for files in read] == [{"1_a/migration.sql", "smoke.sql"}] * 3


def test_a_folder_of_migrations_that_is_a_link_out_of_the_project_is_refused(tmp_path):
    write(tmp_path, "elsewhere/1_a/migration.sql", "project/prisma/schema.prisma")
    (tmp_path / "project/prisma/migrations").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CheckError) as refusal:
        read_files(tmp_path / "project", LAYOUT)

    assert refusal.value.code == "symlink-outside"


@pytest.mark.parametrize("layout", [LAYOUT, SqlPairs()])
def test_the_smoke_script_belongs_to_no_migration(layout):
    forward = "1_a/migration.sql" if layout is LAYOUT else "1_a.up.sql"
    files = {forward: b"", "smoke.sql": b"SELECT 1"}

    assert [one.name for one in layout.read(files)] == ["1_a"]
    assert smoke_script(files) == b"SELECT 1"
    assert smoke_script({forward: b""}) is None
    with pytest.raises(CheckError) as refusal:
        smoke_script({"smoke.sql": b"\xff"})
    assert refusal.value.code == "not-utf-8"


def test_the_command_judges_every_script_of_a_project_in_order(tmp_path):
    scripts = ["1_a/migration.sql", "1_a/down.sql", "1_a/verify.sql", "2_b/migration.sql"]
    write(tmp_path, "prisma/migrations/migration_lock.toml", *(f"prisma/migrations/{one}" for one in scripts[::-1]))

    result = CliRunner().invoke(app, [str(tmp_path), "--format", "json"])

    assert result.exit_code == 0, result.output
    paths = [one["path"] for one in json.loads(result.stdout)["scripts"]]
    assert [path.rpartition("prisma/migrations/")[2] for path in paths] == scripts
