"""A whole answer from memory: quick where nothing changed, and never given where anything did."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextvars import copy_context
from pathlib import Path

import pytest

from checks import cli
from checks.cli import main
from checks.project import kept
from checks.project.answers import Call

ROOT = Path(__file__).parents[2]
HEAVY = ("pglast", "typer", "rich", "checks.rules", "checks.statements", "checks.layouts", "checks.report", "pathlib")
NOT_REMEMBERED = 99
RUN = "import sys; from checks.cli import main; sys.argv = ['migration-check', *sys.argv[1:]]; main()"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two migrations, and a folder for caches of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "migrations"
    made.mkdir()
    (made / "1_a.up.sql").write_text("CREATE TABLE a (id int PRIMARY KEY);\n")
    (made / "2_b.up.sql").write_text("ALTER TABLE a ADD COLUMN b text;\n")
    return made


def process(*arguments, code=RUN):
    """Run the real command with what can be imported here, and nothing that site packages import at their start."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *map(str, arguments)], capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )  # fmt: skip
    return done.stdout, done.returncode, done.stderr


def command(*arguments):
    """Run the command as `process` does, in this one: what it keeps, and what it answers, do not depend on which."""
    streams = {one: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for one in ("stdin", "stdout", "stderr")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["migration-check", *map(str, arguments)])
        for name, stream in streams.items():
            patch.setattr(f"sys.{name}", stream)
        with pytest.raises(SystemExit) as ended:
            copy_context().run(main)  # what a call notes ends with it
    for stream in streams.values():
        stream.flush()
    return streams["stdout"].buffer.getvalue(), ended.value.code, streams["stderr"].buffer.getvalue()


def is_remembered(*arguments):
    """Whether a call is answered before anything is asked that judges, or that reads unusual arguments."""
    with pytest.MonkeyPatch.context() as patch:
        for one in ("_judge", "_ask_typer"):
            patch.setattr(cli, one, lambda *_: NOT_REMEMBERED)
        return command(*arguments)[1] != NOT_REMEMBERED


def is_remembered_by_a_process(*arguments):
    """Whether a new process answers without any module that judges."""
    out_of_reach = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}, None)); "
    return b"ModuleNotFoundError" not in process(*arguments, code=out_of_reach + RUN)[2]


def test_another_process_says_the_same_bytes_without_parser_rules_or_terminal(folder):
    first = process(folder)
    assert first[1:] == (0, b"")

    assert is_remembered_by_a_process(folder)
    assert not is_remembered_by_a_process(folder, "--style")
    assert command(folder, "--no-cache") == first == process(folder)


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown"])
def test_the_second_call_says_the_same_bytes_without_judging(folder, form):
    first = command(folder, "--format", form)
    assert first[1:] == (0, b"")

    assert is_remembered(folder, "--format", form)
    assert command(folder, "--format", form) == first == command(folder, "--format", form, "--no-cache")


def test_an_answer_from_memory_imports_little():
    code = "import sys, checks.cli; print(*sorted(sys.modules))"
    imported = set(process(code=code)[0].decode().split())

    assert imported.isdisjoint({*HEAVY, "dataclasses", "re", "json", "typing", "subprocess"})


def test_what_fails_fails_again_with_the_same_status(folder):
    (folder / "3_c.up.sql").write_text("TRUNCATE a;")

    first = command(folder)

    assert first[1] == 1
    assert is_remembered(folder)
    assert command(folder) == first


CHANGES = {
    "a byte": lambda folder: (folder / "1_a.up.sql").write_text("CREATE TABLE a (id int PRIMARY KEX);\n"),
    "a name": lambda folder: (folder / "2_b.up.sql").rename(folder / "3_b.up.sql"),
    "one more": lambda folder: (folder / "3_c.up.sql").write_text("SELECT 1;"),
    "one less": lambda folder: (folder / "2_b.up.sql").unlink(),
    "another kind of file": lambda folder: (folder / "README.md").write_text("x"),
    "a link": lambda folder: (folder / "3_c.up.sql").symlink_to(folder / "1_a.up.sql"),
    "a usual folder below": lambda folder: (folder / "migrations").mkdir(),
    "a folder of another tool": lambda folder: (folder / "prisma" / "migrations").mkdir(parents=True),
    "the file of another tool": lambda folder: (folder / "sqitch.plan").write_text("%project=x\n"),
    "nothing at all": lambda folder: [one.unlink() for one in folder.iterdir()],
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_not_answered_from_memory(folder, change):
    command(folder)
    about = {one: (one.stat().st_mtime_ns, one.stat().st_size) for one in folder.iterdir()}

    CHANGES[change](folder)
    for one, (moment, size) in about.items():  # neither the time nor the size gives it away
        if one.exists() and one.stat().st_size == size:
            os.utime(one, ns=(moment, moment))

    assert not is_remembered(folder)
    assert command(folder)[:2] == command(folder, "--no-cache")[:2]


def test_another_question_another_place_and_another_version_are_not_answered_from_memory(folder, monkeypatch):
    command(folder)

    for other in (["--style"], ["--pg", "14"], ["--pg=14"], ["--fail-on", "safe"], ["--format=json"]):
        assert not is_remembered(folder, *other)
    assert is_remembered(folder, "--format=text")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_remembered(folder)
    monkeypatch.delenv("NO_COLOR")
    assert is_remembered(folder)
    monkeypatch.setattr(kept, "installed", lambda: "another")
    assert not is_remembered(folder)


@pytest.mark.parametrize(
    "odd",
    [
        [], ["--help"], ["-"], ["missing"], ["--base", "main", "."], ["--snapshot", "x", "."], ["--no-cache", "."],
        [".", "."], [".", "--format"], ["--", "."], [".", "--format", "--style"], ["--install-completion"],
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_those_who_know_arguments(folder, odd):
    call = Call.of(odd)

    assert call is None or command(*odd)[1] == 2


@pytest.mark.parametrize("options", [["--format", "xml"], ["--pg", "13"], ["--pg", "x"], ["--fail-on", "never"]])
def test_a_value_that_is_none_is_refused_in_the_words_of_the_library(folder, options):
    told = command(folder, *options)

    assert told[1] == 2
    assert b"Invalid value" in told[2]


def test_damage_to_what_is_kept_is_as_if_there_were_nothing(folder, tmp_path):
    first = command(folder)
    (file,) = (tmp_path / "caches" / "locktender").glob("*.answer")
    whole = file.read_bytes()

    for broken in (b"", whole[:-1], whole + b" ", whole.replace(b"safe", b"sofa"), whole[1:]):
        file.write_bytes(broken)
        assert not is_remembered(folder)
        file.write_bytes(broken)
        assert command(folder) == first


def test_only_what_changed_is_written_again_in_json(folder):
    told = json.loads(command(folder, "--format", "json")[0])
    (folder / "3_c.up.sql").write_text("ALTER TABLE a DROP COLUMN b;")

    again = command(folder, "--format", "json")

    assert json.loads(again[0])["scripts"][:2] == told["scripts"]
    assert again == command(folder, "--format", "json", "--no-cache")


def test_a_report_from_memory_that_cannot_be_written_is_no_finding(folder):
    command(folder)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", RUN, str(folder)], stdout=full, stderr=subprocess.PIPE, check=False, cwd=ROOT
        )

    assert ended.returncode == 2
    assert ended.stderr.startswith(b"output-failed: The report could not be written")
