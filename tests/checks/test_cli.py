"""The command: what it prints, and how it ends."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from checks.cli import check

app = typer.Typer()
app.command()(check)
SAFE, CONTROLLED, HIGH = "ALTER TABLE t ADD COLUMN a text;", "DROP TABLE t;", "TRUNCATE t;"


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.mark.parametrize(
    ("sql", "fail_on", "code"),
    [
        (SAFE, "controlled", 0),
        (SAFE, "safe", 1),
        (CONTROLLED, "high-risk", 0),
        (CONTROLLED, "controlled", 1),
        (HIGH, "high-risk", 1),
        ("CREATE INDEX CONCURRENTLY ON t (a);", "high-risk", 1),
        ("\\d", "high-risk", 2),
        ("-- nothing", "controlled", 0),
    ],
)
def test_the_exit_code(sql, fail_on, code):
    assert run("-", "--fail-on", fail_on, stdin=sql).exit_code == code


def test_a_finding_is_shown_with_a_caret_under_its_place():
    result = run("-", stdin="SELECT 'é';\n  DROP TABLE [x\n")
    assert result.exit_code == 2

    result = run("-", stdin="SELECT 'é';\n  DROP TABLE a;\n")

    lines = result.stdout.splitlines()
    assert lines[0] == "standard input:2:3 warning table-dropped"
    assert lines[1:3] == ["      DROP TABLE a;", "      ^"]
    assert "standard input: controlled" in result.stdout
    assert "ALTER TABLE a RENAME TO a_dropped;" in result.stdout


def test_a_terminal_cannot_be_controlled_by_a_script():
    result = run("-", stdin="DROP TABLE a; -- \x1b]0;owned\x07")

    assert "\x1b]0" not in result.stdout


def test_brackets_in_sql_are_not_taken_for_markup():
    result = run("-", stdin="UPDATE t SET a = b[red];")

    assert "b[red]" in result.stdout


def test_a_folder_is_judged_in_its_order_as_json(tmp_path):
    (tmp_path / "10_b.up.sql").write_text(HIGH)
    (tmp_path / "9_a.up.sql").write_text(SAFE)

    result = run(tmp_path, "--format", "json")

    assert [(item["path"], item["risk"]) for item in json.loads(result.stdout)] == [
        ("9_a.up.sql", "safe"),
        ("10_b.up.sql", "high-risk"),
    ]
    assert result.exit_code == 1


def test_what_cannot_be_read_ends_with_2_and_its_code(tmp_path):
    (tmp_path / "odd.sql").write_bytes(b"\xff")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "odd.sql"):
        result = run(path, "--format", "json")
        assert result.exit_code == 2
        assert json.loads(result.stdout)["error"]["code"] in {"folder-missing", "layout-unknown", "not-utf-8"}


def test_judgement_imports_neither_django_nor_a_driver_and_the_parser_in_one_place_only():
    package = Path(__file__).parents[2] / "checks"
    allowed = {*sys.stdlib_module_names, "checks", "typer", "rich"}
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        roots = {name.partition(".")[0] for name in imported}
        extra = {"pglast"} if path.name == "statements.py" else set()
        assert roots <= allowed | extra, path.name
