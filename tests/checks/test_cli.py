"""The command: what it prints, and how it ends."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from checks.command import check
from checks.depth import MAX_COMMANDS

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
        ("", "controlled", 0),
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


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\u202e"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_terminal_cannot_be_controlled_by_a_name(tmp_path, letter, form):
    script = tmp_path / f"a{letter}b.sql"
    script.write_text(f'UPDATE "a{letter}b" SET x = 1; DROP TABLE "{letter}"; ALTER TABLE "{letter}" ADD UNIQUE (a)')

    result = run(script, "--format", form)
    missing = run(f"{script}{letter}", "--format", form)

    assert (result.exit_code, missing.exit_code) == (1, 2)
    assert letter not in result.output + missing.output
    assert {"text": ascii(letter), "json": json.dumps(letter)}[form][1:-1] in result.output


def test_a_script_without_a_statement_is_not_called_safe():
    assert run("-", stdin="").stdout == "standard input: no statements\n"
    assert run("-", stdin="-- later").stdout == "standard input: no statements\n"


def test_what_is_neither_file_nor_folder_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=(HIGH,), daemon=True).start()

    assert run(pipe).exit_code == 1
    assert run("/dev/null").stdout == "/dev/null: no statements\n"


def command(*arguments, **options):
    """Run the real command, with standard output where a test wants it."""
    program = [sys.executable, "-m", "checks.cli", *arguments]
    return subprocess.run(program, check=False, input=SAFE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_report_that_cannot_be_written_is_no_finding(form):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = command("-", "--format", form, stdout=full)

    assert ended.returncode == 2
    assert ended.stderr.startswith("output-failed: The report could not be written: No space left on device.")


def test_a_reader_that_went_away_is_no_finding():
    read, written = os.pipe()
    os.close(read)

    ended = command("-", stdout=written)

    os.close(written)
    assert ended.returncode == 2


def test_a_terminal_without_all_letters_gets_them_as_escapes(tmp_path):
    script = tmp_path / "a.sql"
    script.write_text("TRUNCATE é;", encoding="utf-8")

    ended = command(str(script), stdout=subprocess.PIPE, env=os.environ | {"PYTHONIOENCODING": "ascii"})

    assert ended.returncode == 1
    assert 'empties table "\\xe9"' in ended.stdout


def test_brackets_in_sql_are_not_taken_for_markup():
    result = run("-", stdin="UPDATE t SET a = b[red];")

    assert "b[red]" in result.stdout


def test_a_folder_is_judged_in_its_order_as_json(tmp_path):
    (tmp_path / "10_b.up.sql").write_text(HIGH)
    (tmp_path / "9_a.up.sql").write_text(SAFE)

    result = run(tmp_path, "--format", "json")

    assert [(Path(item["path"]).name, item["risk"]) for item in json.loads(result.stdout)["scripts"]] == [
        ("9_a.up.sql", "safe"),
        ("10_b.up.sql", "high-risk"),
    ]
    assert result.exit_code == 1


def test_rollback_and_verify_scripts_are_judged_under_their_own_names(tmp_path):
    (tmp_path / "1_a.up.sql").write_text(SAFE)
    (tmp_path / "1_a.down.sql").write_text(HIGH)
    (tmp_path / "1_a.verify.sql").write_text("DELETE FROM t WHERE id = 1")

    result = run(tmp_path, "--format", "json")

    items = json.loads(result.stdout)["scripts"]
    assert [(Path(item["path"]).name, item["part"]) for item in items] == [
        ("1_a.up.sql", "forward"),
        ("1_a.down.sql", "rollback"),
        ("1_a.verify.sql", "verify"),
    ]
    assert "verify-writes" in [finding["code"] for finding in items[2]["findings"]]
    # The class of a way back does not count, but what would never run does.
    assert result.exit_code == 0

    (tmp_path / "1_a.down.sql").write_text("COMMIT")
    assert run(tmp_path).exit_code == 1


@pytest.mark.parametrize("part", ["down", "verify"])
def test_a_companion_that_cannot_be_analysed_ends_with_2(tmp_path, part):
    (tmp_path / "1_a.up.sql").write_text(SAFE)
    (tmp_path / f"1_a.{part}.sql").write_text("DROP TABEL t")

    result = run(tmp_path)

    assert result.exit_code == 2
    assert f"1_a.{part}.sql:1:6 blocking unparsable-sql" in result.stdout


def test_what_cannot_be_read_ends_with_2_and_its_code(tmp_path):
    (tmp_path / "odd.sql").write_bytes(b"\xff")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "odd.sql"):
        result = run(path, "--format", "json")
        assert result.exit_code == 2
        assert json.loads(result.stdout)["error"]["code"] in {"path-missing", "layout-unknown", "not-utf-8"}


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


@pytest.mark.parametrize("is_file", [True, False])
def test_more_than_can_be_analysed_is_not_analysed_wherever_it_comes_from(tmp_path, monkeypatch, is_file):
    monkeypatch.setattr("checks.layouts.texts.MAX_SQL_CHARACTERS", 10)
    (tmp_path / "a.sql").write_text("DROP TABLE a, b, c, d;")

    result = run(tmp_path / "a.sql") if is_file else run("-", stdin="DROP TABLE a, b, c, d;")

    assert result.exit_code == 2
    assert "blocking unparsable-sql" in result.stdout
    assert "more than 10 characters of SQL" in result.stdout


def test_one_statement_with_too_many_commands_is_not_analysed():
    commands = ", ".join(f"ADD COLUMN c{number} int" for number in range(MAX_COMMANDS + 1))

    result = run("-", stdin=f"SELECT 1; ALTER TABLE t {commands};")

    assert result.exit_code == 2
    assert "standard input:1:11 blocking unparsable-sql" in result.stdout
