"""The schema of a target is kept with every observation, and leaves as a file without its values."""

import io

import pytest
import typer
from django.core.management import CommandError, call_command
from typer.testing import CliRunner

from checks.command import check
from checks.model import Name
from checks.model.saved import from_json


def test_an_observation_keeps_the_schema_and_it_leaves_without_values(rewards, tmp_path):
    database = rewards.staging
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE kept (id int PRIMARY KEY, key text DEFAULT 'sk_live_1')")
    seen = rewards.observe(database)
    file = tmp_path / "snapshot.json"

    call_command("export_snapshot", str(database), "--out", str(file), stdout=io.StringIO())

    inside = seen.schema_model().relations[Name("public", "kept")]
    outside = from_json(file.read_text())
    assert inside.columns["key"].default == "'sk_live_1'::text"
    assert outside.schema.relations[Name("public", "kept")].columns["key"].default == "$1::text"
    assert outside.server_version == seen.server_version
    assert "sk_live" not in file.read_text()
    assert "env:" not in file.read_text()


def test_what_is_applied_is_in_the_file_and_is_not_judged_again(rewards, tmp_path):
    rewards.write("001_points", "CREATE TABLE points (id int PRIMARY KEY)", "DROP TABLE points")
    rewards.deploy()
    rewards.write("002_note", "ALTER TABLE points ADD COLUMN note text", "ALTER TABLE points DROP COLUMN note")
    rewards.observe(rewards.staging)
    file = tmp_path / "snapshot.json"
    call_command("export_snapshot", str(rewards.staging), "--out", str(file), stdout=io.StringIO())
    app = typer.Typer()
    app.command()(check)

    arguments = [
        str(rewards.source),
        "--snapshot",
        str(file),
        "--layout",
        "sql-pairs",
        "--format",
        "json",
        "--no-cache",
    ]
    answer = CliRunner().invoke(app, arguments)

    assert from_json(file.read_text()).applied[-1] == "001_points"
    assert "002_note" in answer.stdout
    assert "001_points" not in answer.stdout


def test_a_database_that_was_never_read_has_no_snapshot(rewards, tmp_path):
    file = tmp_path / "snapshot.json"

    with pytest.raises(CommandError, match="not-observed"):
        call_command("export_snapshot", str(rewards.staging), "--out", str(file))

    assert not file.exists()


def test_a_file_that_cannot_be_written_is_a_refusal(rewards, tmp_path):
    rewards.observe(rewards.staging)

    with pytest.raises(CommandError, match="output-failed"):
        call_command("export_snapshot", str(rewards.staging), "--out", str(tmp_path / "missing" / "snapshot.json"))
