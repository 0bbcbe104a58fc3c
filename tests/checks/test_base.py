"""What a folder held at another commit, read from a real repository."""

from __future__ import annotations

import os
import subprocess

import pytest

from checks.project.base import BaseUnreadable, files_at, merge_base


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A repository with a folder `a b/migrations`, and a function that runs git in it."""
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def run(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    return run


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "a b" / "migrations"
    place.mkdir(parents=True)
    return place


def commit(git, said="x"):
    git("add", "--all")
    git("commit", "--quiet", "--message", said)
    return git("rev-parse", "HEAD")


def test_files_are_read_as_they_were_and_not_as_they_lie_there(git, folder, tmp_path):
    (folder / "1_é ü.up.sql").write_bytes(b"SELECT 1;\r\n\xff")
    (folder / "sub").mkdir()
    (folder / "sub" / "empty.sql").write_bytes(b"")
    (tmp_path / "outside.sql").write_text("no")
    first = commit(git)
    (folder / "1_é ü.up.sql").write_text("edited")
    (folder / "2.sql").write_text("new")
    commit(git)

    assert files_at(folder, first) == {"1_é ü.up.sql": b"SELECT 1;\r\n\xff", "sub/empty.sql": b""}
    assert files_at(folder, "main")["2.sql"] == b"new"
    assert (folder / "1_é ü.up.sql").read_text() == "edited"


def test_a_folder_that_was_not_there_holds_nothing(git, folder, tmp_path):
    (tmp_path / "readme").write_text("x")
    commit(git)

    assert files_at(folder, "main") == {}


def test_a_link_is_left_out(git, folder):
    (folder / "1.sql").write_text("x")
    (folder / "2.sql").symlink_to("1.sql")
    commit(git)

    assert list(files_at(folder, "main")) == ["1.sql"]


def test_the_base_is_where_the_branch_left_it(git, folder):
    (folder / "1.sql").write_text("x")
    left = commit(git)
    git("switch", "--quiet", "--create", "work")
    (folder / "2.sql").write_text("ours")
    commit(git)
    git("switch", "--quiet", "main")
    (folder / "3.sql").write_text("theirs")
    commit(git)
    git("switch", "--quiet", "work")

    assert merge_base(folder, "main") == left
    assert list(files_at(folder, left)) == ["1.sql"]
    assert list(files_at(folder, "main")) == ["1.sql", "3.sql"]


@pytest.mark.parametrize("base", ["nowhere", "--help", "--output=stolen", "HEAD~9", "", "HEAD^{tree}"])
def test_a_base_that_is_no_commit_is_refused_and_runs_nothing(git, folder, base):
    (folder / "1.sql").write_text("x")
    commit(git)

    with pytest.raises(BaseUnreadable, match="fetch-depth: 0"):
        files_at(folder, base)
    assert [path.name for path in folder.iterdir()] == ["1.sql"]


def test_a_folder_outside_of_a_repository_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    with pytest.raises(BaseUnreadable, match="not a git repository"):
        files_at(tmp_path, "main")


def test_a_machine_without_git_says_so(git, folder, monkeypatch):
    (folder / "1.sql").write_text("x")
    commit(git)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(BaseUnreadable, match="git is not installed"):
        merge_base(folder, "main")


def test_two_histories_without_a_common_commit_are_refused(git, folder):
    (folder / "1.sql").write_text("x")
    commit(git)
    git("switch", "--quiet", "--orphan", "other")
    (folder / "2.sql").parent.mkdir(parents=True, exist_ok=True)
    (folder / "2.sql").write_text("x")
    commit(git)

    with pytest.raises(BaseUnreadable):
        merge_base(folder, "main")
