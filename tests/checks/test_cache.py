"""What was judged before is told again in the same words, and nothing but what was really judged is believed."""

from __future__ import annotations

import json

import pytest

from checks.asked import Question, answer
from checks.layouts import named
from checks.lock_rows import lock_rows
from checks.model import EMPTY, UNKNOWN
from checks.output import Format
from checks.output.data import as_json
from checks.output.judged import Outcome
from checks.output.text import as_text
from checks.project import kept
from checks.project.cache import Memory, digest
from checks.project.following import Start, judged, read_project
from checks.project.kept import MAX_FILES
from checks.report import judge

START = Start(16)
FIRST = "CREATE TABLE users (id int PRIMARY KEY, name text);\nCREATE TABLE orders (id int PRIMARY KEY);\n"
SECOND = "ALTER TABLE users ALTER COLUMN name SET NOT NULL;\nDO $$ BEGIN NULL; END $$;\n"
THIRD = "-- no statement\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder for caches of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "locktender"


@pytest.fixture
def folder(tmp_path):
    """A history of three migrations, the second with a way back."""
    made = tmp_path / "migrations"
    made.mkdir()
    for number, sql in enumerate((FIRST, SECOND, THIRD), start=1):
        (made / f"{number}_step.up.sql").write_text(sql)
    (made / "2_step.down.sql").write_text("ALTER TABLE users ALTER COLUMN name DROP NOT NULL;\n")
    return made


@pytest.fixture
def asked(monkeypatch):
    """The scripts that were really judged, in their order."""
    scripts = []

    def listening(text, **how):
        scripts.append(text)
        return judge(text, **how)

    monkeypatch.setattr("checks.project.following.judge", listening)
    return scripts


def outcome(folder, *, start=START, style=False, remembers=True):
    project = read_project(folder, named("sql-pairs"))
    memory = Memory.of(folder) if remembers else Memory()
    found = Outcome(tuple(judged(project, start, style=style, memory=memory)), version=start.version)
    memory.save()
    return found


def in_words(found):
    return as_json(found), as_text(found)


def test_the_second_call_judges_nothing_and_says_the_same(folder, asked):
    first = outcome(folder)
    asked.clear()

    second = outcome(folder)

    assert asked == []
    assert in_words(second) == in_words(first) == in_words(outcome(folder, remembers=False))


def test_only_what_comes_after_a_change_is_judged_again(folder, asked):
    outcome(folder)
    asked.clear()

    (folder / "3_step.up.sql").write_text("ALTER TABLE users DROP COLUMN name;\n")
    found = outcome(folder)

    assert asked == ["ALTER TABLE users DROP COLUMN name;\n"]
    assert in_words(found) == in_words(outcome(folder, remembers=False))


def test_a_change_of_the_first_file_changes_the_world_of_all(folder, asked):
    outcome(folder)
    asked.clear()

    (folder / "1_step.up.sql").write_text(FIRST.replace("name text", "name text NOT NULL"))
    found = outcome(folder)

    assert len(asked) == 4
    assert in_words(found) == in_words(outcome(folder, remembers=False))


def test_a_migration_that_is_added_meets_the_schema_that_was_kept(folder, asked, monkeypatch):
    outcome(folder)
    asked.clear()
    monkeypatch.setattr("checks.project.following.replay_script", None)  # nothing is followed again

    (folder / "4_step.up.sql").write_text("ALTER TABLE users ALTER COLUMN id TYPE bigint;\n")
    found = outcome(folder)

    assert len(asked) == 1
    (rewritten,) = (row for row in lock_rows(found.judged[-1].report) if row.relation == "users")
    assert "rewrite" in rewritten.work


@pytest.mark.parametrize("other", [{"style": True}, {"start": Start(14)}, {"start": Start(16, UNKNOWN, is_sized=True)}])
def test_another_question_is_not_answered_from_memory(folder, asked, other):
    outcome(folder)
    asked.clear()

    outcome(folder, **other)

    assert len(asked) == 4


def only_file(place):
    (file,) = place.glob("*.json")
    return file


def test_damage_anywhere_in_the_file_is_as_if_there_were_none(folder, asked, place):
    outcome(folder)
    content = only_file(place).read_bytes()

    for broken in (
        b"",
        b"\n",
        content[:-1],
        content[1:],
        content.replace(b'"findings"', b'"fundings"'),
        content.replace(b"true", b"null", 1),
        content + b" ",
        b"[]",
    ):
        only_file(place).write_bytes(broken)
        asked.clear()
        assert in_words(outcome(folder)) == in_words(outcome(folder, remembers=False))
        assert len(asked) == 8, broken[:80]


@pytest.mark.parametrize("value", ["5", '{"findings": 5}', "{}", "[]", "null", "{" * 9, ""])
@pytest.mark.parametrize("form", sorted({*Format} - {Format.JSON}))  # of JSON whole texts are kept, of any shape
def test_a_whole_file_with_values_of_another_shape_is_not_believed(folder, asked, place, capsys, *, value, form):
    question = Question(str(folder), output=form)
    status = answer(question)
    told = capsys.readouterr().out
    index = json.loads(bytes(kept.read(str(only_file(place)))).partition(b"\n")[0])
    for one in index.values():
        one[:2] = 0, len(value)
    kept.write(str(only_file(place)), json.dumps(index).encode() + b"\n", value.encode())  # as a fault of ours would
    asked.clear()

    again = answer(question)

    assert (again, capsys.readouterr().out) == (status, told)
    assert len(asked) == 4


@pytest.mark.parametrize("index", ["[]", "{", "{}", '{"KEY": 5}', '{"KEY": [0, 9e9, null]}', '{"KEY": [5, 2, null]}'])
def test_an_index_of_another_shape_is_not_believed(folder, asked, place, index):
    outcome(folder)
    keys = json.loads(bytes(kept.read(str(only_file(place)))).partition(b"\n")[0])
    text = json.dumps({key: json.loads(index)["KEY"] for key in keys}) if "KEY" in index else index
    kept.write(str(only_file(place)), text.encode() + b"\n", b"{}")
    asked.clear()

    assert in_words(outcome(folder)) == in_words(outcome(folder, remembers=False))
    assert len(asked) == 8


def test_what_another_version_of_the_checks_said_is_not_believed(folder, asked, monkeypatch):
    outcome(folder)
    asked.clear()
    monkeypatch.setattr(kept, "installed", lambda: "another")

    outcome(folder)

    assert len(asked) == 4


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_file_that_others_may_write_is_not_believed(folder, asked, place, mode):
    outcome(folder)
    asked.clear()
    only_file(place).chmod(mode)

    outcome(folder)

    assert len(asked) == 4


def test_a_folder_that_others_may_write_and_a_link_are_not_believed(folder, asked, place, tmp_path):
    outcome(folder)
    place.chmod(0o777)
    asked.clear()
    outcome(folder)
    assert len(asked) == 4

    place.chmod(0o700)
    file = only_file(place)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    asked.clear()
    outcome(folder)
    assert len(asked) == 4
    assert not file.is_symlink()


def test_a_cache_that_cannot_be_written_is_no_error(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert in_words(outcome(folder)) == in_words(outcome(folder, remembers=False))


def test_files_of_other_folders_are_kept_within_bounds(place):
    for number in range(MAX_FILES + 3):
        memory = Memory.of(place / str(number))
        memory.keep_answer("key", answer=True)
        memory.save()

    assert len(list(place.glob("*"))) == MAX_FILES
    assert Memory.of(place / str(MAX_FILES + 2)).answer("key") is True


def test_what_is_too_large_is_not_kept(place, monkeypatch):
    monkeypatch.setattr(kept, "MAX_BYTES", 100)
    memory = Memory.of(place)
    memory.keep_schema("key", EMPTY)
    memory.keep_answer("x" * 200, answer=True)

    memory.save()

    assert not place.exists()


def test_no_two_lists_of_values_have_the_same_digest():
    values = [("a", "b"), ("ab",), ("a", b"b"), ("", "ab"), (1,), ("1",), (None,), (("a", "b"),), ()]

    assert len({digest(*one) for one in values}) == len(values)
