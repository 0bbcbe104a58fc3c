"""A folder as the command judges it: what is new since the base, on the schema that all before it leave behind."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from checks.command import check
from checks.model import EMPTY, Size, Traffic
from checks.model.replay import replay_script
from checks.model.saved import Saved, to_json
from checks.statements import parse

app = typer.Typer()
app.command()(check)

TABLES = "CREATE TABLE users (id int PRIMARY KEY);\nCREATE TABLE orders (id int PRIMARY KEY, user_id int, total int);\n"
KEY = "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id);\n"
WIDE = "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments):
    result = run(*arguments, "--format", "json")
    assert result.exit_code != 2, result.output
    return json.loads(result.stdout)


def codes(outcome):
    return {finding["code"] for script in outcome["scripts"] for finding in script["findings"]}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A repository whose branch `work` left `main`, and a function that writes a migration with a way back."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.chdir(tmp_path)

    def write(name, sql, back="SELECT 1;"):
        (tmp_path / f"{name}.up.sql").write_text(sql)
        (tmp_path / f"{name}.down.sql").write_text(back)

    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def commit():
        git("add", "--all")
        git("commit", "--quiet", "--message", "x")

    write.git, write.commit = git, commit
    git("init", "--quiet", "--initial-branch=main")
    write("1_tables", TABLES)
    commit()
    git("switch", "--quiet", "--create", "work")
    return write


def saved(tmp_path, *, size_bytes, applied=("1_tables",), version=180_001):
    """Write a snapshot of a database that has the first migration, with tables of this size, in use."""
    schema = replay_script(EMPTY, parse(TABLES))
    size, traffic = Size(size_bytes, rows=size_bytes // 100), Traffic(reads=40, writes=10)
    relations = {name: replace(one, size=size, traffic=traffic) for name, one in schema.relations.items()}
    path = tmp_path / "snapshot.json"
    whole = Saved(replace(schema, relations=relations), version, "2026-11-01T00:00:00Z", tuple(applied))
    path.write_text(to_json(whole))
    return path


def test_only_what_is_new_since_the_base_is_judged_and_the_rest_is_followed(work, tmp_path):
    work("2_key", KEY)

    outcome = told(tmp_path, "--base", "main")

    assert [one["migration"] for one in outcome["scripts"]] == ["2_key", "2_key"]
    assert outcome["not_judged"] == 1
    locks = {one["relation"]: one["mode"] for one in outcome["scripts"][0]["locks"]}
    assert locks == {"orders": "SHARE ROW EXCLUSIVE", "users": "SHARE ROW EXCLUSIVE"}


def test_nothing_new_is_nothing_to_say(work, tmp_path):
    result = run(tmp_path, "--base", "main")

    assert (result.exit_code, result.stdout) == (0, "nothing new: 1 migration passed over\n")


def test_a_migration_that_was_there_may_not_change(work, tmp_path):
    work("1_tables", TABLES + "SELECT 1;")

    result = run(tmp_path, "--base", "main", "--format", "json")

    assert [one["code"] for one in json.loads(result.stdout)["files"]] == ["migration-changed"]
    assert result.exit_code == 1


def test_a_migration_that_others_overtook_is_out_of_order(work, tmp_path):
    work("2_ours", KEY)
    work.commit()
    work.git("switch", "--quiet", "main")
    work("3_theirs", "CREATE TABLE theirs (id int PRIMARY KEY);")
    work.commit()
    work.git("switch", "--quiet", "work")

    result = run(tmp_path, "--base", "main", "--format", "json")

    assert [one["code"] for one in json.loads(result.stdout)["files"]] == ["migration-out-of-order"]
    assert result.exit_code == 1


def test_a_missing_way_back_is_told_with_its_file(work, tmp_path):
    work("2_key", KEY)
    (tmp_path / "2_key.down.sql").unlink()

    files = told(tmp_path, "--base", "main")["files"]

    assert [(one["path"], one["code"]) for one in files] == [("2_key.up.sql", "rollback-missing")]


def test_a_base_that_is_not_there_ends_with_2(work, tmp_path):
    result = run(tmp_path, "--base", "origin/main", "--format", "json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "base-unreadable"


@pytest.mark.parametrize(("size_bytes", "risk"), [(100_000, "controlled"), (50_000_000_000, "high-risk")])
def test_a_snapshot_says_how_long_and_decides_the_class(work, tmp_path, size_bytes, risk):
    work("2_wide", WIDE)

    outcome = told(tmp_path, "--snapshot", saved(tmp_path, size_bytes=size_bytes))

    assert (outcome["risk"], outcome["sizes_known"], outcome["postgresql"]) == (risk, True, 18)
    assert [one["migration"] for one in outcome["scripts"]] == ["2_wide", "2_wide"]
    assert "size unknown" not in json.dumps(outcome)


def test_without_a_snapshot_a_size_is_unknown_and_counts_as_large(work, tmp_path):
    work("2_wide", WIDE)

    outcome = told(tmp_path, "--base", "main")

    assert (outcome["risk"], outcome["sizes_known"]) == ("high-risk", False)
    assert "size unknown, treated as large" in json.dumps(outcome)


def test_the_version_that_is_asked_for_wins_over_that_of_the_snapshot(work, tmp_path):
    snapshot = saved(tmp_path, size_bytes=1000, version=150_001)

    assert told(tmp_path, "--snapshot", snapshot)["postgresql"] == 15
    assert told(tmp_path, "--snapshot", snapshot, "--pg", "17")["postgresql"] == 17
    assert run(tmp_path, "--pg", "13").exit_code == 2


def test_a_snapshot_that_is_none_ends_with_2(work, tmp_path):
    (tmp_path / "snapshot.json").write_text('{"format": 9}')

    result = run(tmp_path, "--snapshot", tmp_path / "snapshot.json", "--format", "json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "snapshot-unreadable"


def test_a_history_that_begins_in_the_middle_is_not_told_that_its_tables_are_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7_more.up.sql").write_text("ALTER TABLE old ADD COLUMN a int;")

    assert "statement-will-fail" not in codes(told(tmp_path))


def test_a_history_that_begins_at_its_beginning_is_told_that_a_table_is_missing(work, tmp_path):
    work("2_typo", "ALTER TABLE odrers ADD COLUMN a int;")

    result = run(tmp_path, "--base", "main", "--format", "json")

    assert "statement-will-fail" in codes(json.loads(result.stdout))
    assert result.exit_code == 1


def test_taste_is_asked_for_only_on_request(work, tmp_path):
    work("2_taste", "ALTER TABLE orders ADD COLUMN note json;")

    plain, asked = told(tmp_path, "--base", "main"), told(tmp_path, "--base", "main", "--style")

    assert codes(plain) < codes(asked)


def test_paths_are_told_from_here_as_editors_and_ci_want_them(work, tmp_path, monkeypatch):
    work("2_key", KEY)
    (tmp_path / "sub").mkdir()

    assert told(tmp_path, "--base", "main")["scripts"][0]["path"] == "2_key.up.sql"
    monkeypatch.chdir(tmp_path / "sub")
    assert told("..", "--base", "main")["scripts"][0]["path"] == "../2_key.up.sql"


def test_the_folder_of_the_tool_is_found_below_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "prisma" / "migrations" / "20260101000000_a"
    place.mkdir(parents=True)
    (place / "migration.sql").write_text(TABLES)

    scripts = told(".")["scripts"]

    assert [one["path"] for one in scripts] == ["prisma/migrations/20260101000000_a/migration.sql"]
