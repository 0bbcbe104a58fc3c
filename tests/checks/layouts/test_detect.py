"""Which layout a folder has: one, several, none; what of a project is read; what all layouts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.errors import CheckError
from checks.layouts import LAYOUTS, detect, named, read_files
from checks.project.files import read_folder
from deployments.postgres.history import HISTORIES

GOOSE = "-- +goose Up\nSELECT 1;\n"
DBMATE = "-- migrate:up\n-- migrate:down\n"
PLAN = "%project=x\n\na 2026-01-01T00:00:00Z A <a@b>\n"
SAMPLES = {
    "prisma": {"1_a/migration.sql": ""},
    "sql-pairs": {"1_a.up.sql": ""},
    "flyway": {"V1__a.sql": ""},
    "goose": {"1_a.sql": GOOSE},
    "dbmate": {"1_a.sql": DBMATE},
    "diesel": {"1_a/up.sql": ""},
    "sqitch": {"sqitch.plan": PLAN, "deploy/a.sql": ""},
    "plain": {"1_a.sql": ""},
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def code_of(path: Path) -> str:
    with pytest.raises(CheckError) as refusal:
        detect(path)
    return refusal.value.code


def test_every_layout_is_found_in_its_own_folder_and_below_a_project(tmp_path):
    assert list(SAMPLES) == [layout.name for layout in LAYOUTS]

    for name, files in SAMPLES.items():
        folder = write(tmp_path / name, files)
        assert detect(folder).name == name
        assert len(named(name).read(read_files(folder, named(name)))) == 1
        for usual in named(name).folders:
            project = tmp_path / f"project-{name}-{usual.replace('/', '-')}"
            write(project, {f"{usual}/{path}": text for path, text in files.items()} | {"schema.sql": ""})
            assert detect(project).name == name
            assert len(named(name).read(read_files(project, named(name)))) == 1


def test_two_that_fit_are_told_and_none_is_chosen(tmp_path):
    both = write(tmp_path / "both", {"1_a.sql": GOOSE, "2_b.sql": DBMATE})
    apart = write(tmp_path / "apart", SAMPLES["sqitch"] | {"prisma/migrations/1_a/migration.sql": ""})
    mixed = write(tmp_path / "mixed", {"1_a/up.sql": "", "1_a/migration.sql": ""})

    for folder in (both, apart, mixed):
        assert code_of(folder) == "layout-ambiguous"
    with pytest.raises(CheckError, match="goose, dbmate"):
        detect(both)


def test_none_that_fits_is_told(tmp_path):
    for number, files in enumerate([{"README.md": ""}, {"schema.sql": ""}, {"1_a.sql": "", "a.sql": ""}]):
        assert code_of(write(tmp_path / str(number), files)) == "layout-unknown"


def test_a_project_around_the_usual_folder_is_not_read(tmp_path):
    write(tmp_path, {f"db/migrations/{path}": text for path, text in SAMPLES["dbmate"].items()})
    (tmp_path / "node_modules").symlink_to("/nowhere")

    assert detect(tmp_path).name == "dbmate"
    assert set(read_files(tmp_path, named("dbmate"))) == {"1_a.sql"}


def test_of_a_sqitch_project_only_what_is_sqitchs_is_read(tmp_path):
    write(tmp_path, SAMPLES["sqitch"] | {"src/main.sql": "", "package.json": ""})
    (tmp_path / "node_modules").symlink_to("/nowhere")

    assert detect(tmp_path).name == "sqitch"
    assert set(read_files(tmp_path, named("sqitch"))) == {"sqitch.plan", "deploy/a.sql"}


def test_what_version_control_keeps_is_no_migration(tmp_path):
    write(tmp_path, SAMPLES["sql-pairs"] | {".git/objects/1_b.up.sql": "", "sub/.svn/2_c.up.sql": "", ".hidden": ""})

    assert set(read_folder(tmp_path)) == {"1_a.up.sql", ".hidden"}


def test_the_limits_of_a_folder_are_told(tmp_path, monkeypatch):
    write(tmp_path, {"1_a.up.sql": "x" * 20, "2_b.up.sql": "x" * 20})

    with pytest.raises(CheckError) as refusal:
        read_folder(tmp_path, largest=19)
    assert refusal.value.code == "file-too-large"
    assert "more than 19 bytes" in str(refusal.value)

    monkeypatch.setattr("checks.project.files.MAX_FOLDER_BYTES", 39)
    with pytest.raises(CheckError) as refusal:
        read_folder(tmp_path)
    assert refusal.value.code == "folder-too-large"


def test_every_layout_says_in_words_what_its_tool_does():
    for layout in LAYOUTS:
        assert all((layout.order, layout.transaction_rule, layout.history))
    assert set(HISTORIES) < set(SAMPLES)


def test_the_way_a_folder_is_written_does_not_change_what_is_read():
    for name, files in SAMPLES.items():
        content = {path: text.encode() for path, text in files.items()}
        backwards = dict(reversed(content.items()))

        assert named(name).read(content) == named(name).read(backwards)
