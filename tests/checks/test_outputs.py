"""What every format says of the same outcome, and that nothing a file holds can speak for us."""

from __future__ import annotations

import json
import re

import pytest
from sarif_pydantic import Sarif

from checks.context import World
from checks.finding import Finding, Severity
from checks.layouts import MigrationFiles
from checks.lock_rows import lock_rows, quiet_rows
from checks.model import EMPTY
from checks.output import Judged, Outcome, Placed
from checks.output.data import as_json
from checks.output.github import as_github
from checks.output.markdown import LONGEST, as_markdown
from checks.output.sarif import as_sarif
from checks.output.text import as_text
from checks.report import Part, judge
from checks.reviewing.review import review
from checks.reviewing.values import Subject
from checks.risk import Risk

MADE = "CREATE TABLE parent (id int PRIMARY KEY);\nCREATE TABLE child (parent_id int);\n"
FORWARD = (
    "ALTER TABLE child ADD CONSTRAINT child_fk FOREIGN KEY (parent_id) REFERENCES parent (id);\n"
    "-- locktender: ignore index-not-concurrent: forty rows\n"
    "CREATE INDEX é_idx ON child (parent_id);\n"
)
# What the standard has and the library that knows it has not.
KNOWN_TO_THE_STANDARD = {"columnKind", "suppressions"}
WRITERS = [as_text, as_json, as_github, as_markdown, as_sarif]


def outcome_of(sql, *, path="prisma/migrations/2_b/migration.sql", made=MADE, placed=(), parts=(Part.FORWARD,)):
    before = judge(made, world=World(EMPTY)).after
    judged = [Judged(path, part, sql, judge(sql, part=part, world=World(before)), "2_b") for part in parts]
    return Outcome(tuple(judged), tuple(placed), version=16)


def reviewed(sql, *, made=MADE, **files):
    """Return the outcome of one migration with its review."""
    world = World(judge(made, world=World(EMPTY)).after)
    report = judge(sql, world=world)
    subject = Subject(MigrationFiles("2_b", "2", sql.encode(), **files), world)
    found = review(subject, report.context or report.unparsable)
    return Outcome((Judged("m/2_b.sql", Part.FORWARD, sql, report, "2_b", found),), version=16)


def placed(path="prisma/migrations/1_a", code="edited-after-applied"):
    return Placed(path, Finding(code, Severity.BLOCKING, "It was edited.", "Restore it.", "", 1, 1, -1))


def undeclared(model):
    """Return every field that SARIF does not have, wherever it stands. Property bags are free."""
    found = list(model.model_extra or ())
    for name in type(model).model_fields:
        value = getattr(model, name)
        for one in value if isinstance(value, list) else [value]:
            if hasattr(one, "model_extra") and name != "properties":
                found += undeclared(one)
    return found


def test_the_lock_table_names_the_other_table_too():
    told = json.loads(as_json(outcome_of(FORWARD)))

    locks = {(one["line"], one["relation"]): one for one in told["scripts"][0]["locks"]}
    assert locks[1, "parent"]["mode"] == "SHARE ROW EXCLUSIVE"
    assert locks[1, "child"]["work"] == "foreign-key check"
    assert "foreign key of child" in locks[1, "parent"]["because"]
    assert "size unknown" in locks[1, "child"]["cost"]
    assert re.search(r"line 1 +parent +SHARE ROW EXCLUSIVE", as_text(outcome_of(FORWARD)))
    assert "| 1 | `parent` | SHARE ROW EXCLUSIVE | writes |" in as_markdown(outcome_of(FORWARD))


def test_what_a_comment_ignores_is_told_with_its_reason_and_weighs_nothing():
    outcome = outcome_of(FORWARD)

    result = next(one for one in json.loads(as_sarif(outcome))["runs"][0]["results"] if "suppressions" in one)
    assert result["ruleId"] == "index-not-concurrent"
    assert result["suppressions"] == [{"kind": "inSource", "justification": "forty rows"}]
    assert re.search(r"^::notice .*index-not-concurrent.*Ignored: forty rows", as_github(outcome), re.MULTILINE)
    assert "Ignored `index-not-concurrent`, line 3" in as_markdown(outcome)
    assert "warning index-not-concurrent, ignored" in as_text(outcome)


def test_sarif_is_as_the_standard_describes_it():
    outcome = outcome_of(FORWARD, placed=[placed()], parts=(Part.FORWARD, Part.ROLLBACK))

    log = Sarif.model_validate_json(as_sarif(outcome))

    run = log.runs[0]
    assert set(undeclared(log)) <= KNOWN_TO_THE_STANDARD
    assert len(run.results) == len(list(outcome.findings())) > 2
    for result in run.results:
        assert run.tool.driver.rules[result.rule_index].id == result.rule_id
        assert result.locations[0].physical_location.region.start_line >= 1


def test_sarif_says_when_something_could_not_be_analysed():
    run = json.loads(as_sarif(outcome_of("DROP TABLE [")))["runs"][0]

    assert run["invocations"] == [{"executionSuccessful": False}]
    assert [one["ruleId"] for one in run["results"]] == ["unparsable-sql"]


def test_a_place_in_sarif_is_an_address_whatever_its_name_holds():
    results = json.loads(as_sarif(outcome_of("DROP TABLE child;", path="a b/é%#?.sql")))["runs"][0]["results"]

    assert results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%A9%25%23%3F.sql"


def test_an_annotation_stands_at_its_line_and_column():
    lines = as_github(outcome_of("SELECT 1;\n  DROP TABLE child;", path="m/1,2:3.sql")).splitlines()

    assert lines[0].startswith("::warning file=m/1%2C2%3A3.sql,line=2,col=3,title=table-dropped::")
    assert lines[-1].endswith("judged: controlled")


@pytest.mark.parametrize(
    "evil", ["a\n::error::owned", "a%0A::error::owned", "a\x1b]0;x\x07", "a`b``c", "a|b<img src=x>"]
)
@pytest.mark.parametrize("write", WRITERS, ids=lambda one: one.__name__)
def test_a_name_cannot_speak_for_us(write, evil):
    made = f'CREATE TABLE "{evil}" (id int PRIMARY KEY);'
    sql = f'DROP TABLE "{evil}"; ALTER TABLE "{evil}x" ADD UNIQUE (a);'

    told = write(outcome_of(sql, path=f"m/{evil}.sql", made=made, placed=[placed(f"m/{evil}")]))

    assert "\x1b" not in told
    if write is as_markdown:  # goes into a comment, where no line is a command
        outside = re.sub(r"(`+) ?.*? ?\1", "", told, flags=re.DOTALL)
        assert not re.search(r"(?<!\\)<img", outside)
    else:
        assert not any(line.startswith("::error::") for line in told.splitlines())


def test_a_comment_at_a_pull_request_is_never_too_long_and_says_what_it_leaves_out():
    outcome = outcome_of("DROP TABLE child;")
    many = Outcome(outcome.judged * 1000, version=16)

    told = as_markdown(many)

    assert len(told) < LONGEST + 10_000
    assert "more not shown here" in told


def test_the_class_is_that_of_the_forward_scripts():
    assert outcome_of("TRUNCATE child;", parts=(Part.ROLLBACK,)).risk is Risk.SAFE
    assert outcome_of("TRUNCATE child;").risk is Risk.HIGH


def test_nothing_new_says_so():
    assert as_markdown(Outcome(())) == "## Migrations: nothing new\n"
    assert as_text(Outcome((), version=16, passed_over=3)) == "nothing new: 3 migrations passed over\n"


MIXED = "ALTER TABLE child DROP COLUMN parent_id;\n\nALTER TABLE parent ADD COLUMN note text;\n"


def test_the_phase_and_what_old_code_can_no_longer_do_are_said_in_each_format():
    outcome = reviewed(MIXED)

    told = json.loads(as_json(outcome))["scripts"][0]["review"]

    assert (told["phase"], told["compatible"]) == ("mixed", False)
    assert [one["line"] for one in told["breaks"]] == [1]
    text, comment = as_text(outcome), as_markdown(outcome)
    assert "mixed phases: expand and contract in one migration; old code breaks" in text
    assert "    - line 1: column parent_id of child is gone" in text
    assert "| mixed phases | **breaks** |" in comment
    assert "column parent\\_id of child is gone" in comment


def test_the_checklist_is_short_for_what_is_met_and_plain_for_what_is_open():
    outcome = reviewed("ALTER TABLE parent ADD COLUMN note text;")

    items = json.loads(as_json(outcome))["scripts"][0]["review"]["checklist"]
    text, comment = as_text(outcome), as_markdown(outcome)

    assert len(items) == 10
    met = [one["title"] for one in items if one["outcome"] == "met"]
    assert f"review: {len(met)} of 10 met; open:" in text
    assert not any(one in text for one in met)
    notes = "Reasons, rollback plan and downstream consumers written down. There is no notes.md."
    assert text.count("There is no notes.md.") == 1
    assert f"- not met: {notes}" in text
    assert "- not known: Tests of the application. Not reported." in text
    assert "- Not met: **Rollback present and complete**. There is no rollback script." in comment
    later = as_text(reviewed("CREATE INDEX i ON child (parent_id);"))
    assert later.index("There is no notes.md.") < later.index("not known: Performance impact assessed")


def test_what_is_open_in_every_migration_is_said_once():
    one = reviewed("ALTER TABLE parent ADD COLUMN note text;").judged
    two = reviewed("DROP TABLE child;").judged
    outcome = Outcome((*one, *two), version=16)

    for told in (as_text(outcome), as_markdown(outcome)):
        assert "Open in every migration:" in told
        assert told.count("Not reported.") == 1
    assert as_text(reviewed("SELECT 1;")).count("Open in every migration:") == 0


def test_a_proposed_split_names_the_files_and_their_lines():
    outcome = reviewed(MIXED)

    told = json.loads(as_json(outcome))["scripts"][0]["review"]["split"]
    text, comment = as_text(outcome), as_markdown(outcome)

    assert [(one["title"], one["lines"]) for one in told] == [("child", [1]), ("parent", [3])]
    assert "It does 2 things that could be migrations of their own:" in text
    assert "    1. child: line 1" in text
    assert "<details><summary>It does 2 things" in comment
    assert "```sql\nALTER TABLE parent ADD COLUMN note text;\n```" in comment
    assert json.loads(as_json(reviewed("DROP TABLE child;")))["scripts"][0]["review"]["split"] == []


def test_findings_alone_go_to_code_scanning_and_annotations():
    outcome = reviewed(MIXED)

    for told in (as_sarif(outcome), as_github(outcome)):
        assert "Not reported" not in told
        assert "mixed" not in told


def test_a_migration_that_cannot_be_read_has_no_phase_and_is_not_called_compatible():
    outcome = reviewed("DROP TABLE [")

    told = json.loads(as_json(outcome))["scripts"][0]["review"]

    assert (told["phase"], told["compatible"]) == ("unknown", None)
    assert "phase not known: it cannot be read; whether old code breaks is not known" in as_text(outcome)


@pytest.mark.parametrize(
    ("sql", "mode", "blocks", "words"),
    [
        ("CREATE INDEX CONCURRENTLY i ON child (parent_id)", "SHARE UPDATE EXCLUSIVE", "DDL, index builds and VACUUM",
         "waits for every older transaction; reads and writes go on"),
        ("UPDATE child SET parent_id = 1 WHERE parent_id IS NULL", "ROW EXCLUSIVE",
         "writes to the same rows, DDL and index builds", "changes rows of child (how many is not known)"),
        ("UPDATE child SET parent_id = 1", "ROW EXCLUSIVE", "writes to the same rows, DDL and index builds",
         "changes every row of child"),
        ("INSERT INTO child VALUES (1)", "ROW EXCLUSIVE", "DDL and index builds", "child is locked for a moment"),
        ("VACUUM child", "SHARE UPDATE EXCLUSIVE", "DDL, index builds and VACUUM", "for a time that nobody can say"),
        ("COPY child FROM STDIN", "ROW EXCLUSIVE", "DDL and index builds", "for a time that nobody can say"),
    ],
)  # fmt: skip
def test_a_lock_that_stops_neither_reads_nor_writes_is_shown_quietly(sql, mode, blocks, words):
    outcome = outcome_of(sql)

    (row,) = json.loads(as_json(outcome))["scripts"][0]["quiet_locks"]

    assert (row["relation"], row["mode"], row["blocks"]) == ("child", mode, blocks)
    assert words in row["cost"]
    assert json.loads(as_json(outcome))["scripts"][0]["locks"] == []
    assert f"waiting: {blocks}" in as_text(outcome)
    assert (blocks in as_markdown(outcome)) is row["lasts"]


def test_what_the_script_made_itself_is_not_locked_for_anybody():
    report = outcome_of("CREATE TABLE n (id int);\nINSERT INTO n VALUES (1);\nUPDATE n SET id = 2;").judged[0].report

    assert [*lock_rows(report), *quiet_rows(report)] == []


def test_the_same_quiet_lock_of_many_statements_is_one_line():
    text = as_text(outcome_of("INSERT INTO child VALUES (1);\n" * 300))

    assert "lines 1, 2, 3, 4 and 296 more  child  ROW EXCLUSIVE" in text
    assert text.count("ROW EXCLUSIVE") == 1


def test_on_a_terminal_words_are_folded_and_sql_is_not(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    long = "SELECT " + ", ".join(f"'{number}'" for number in range(60)) + ";\n"

    told = re.sub(r"\x1b\[[0-9;]*m", "", as_text(reviewed(f"{FORWARD}{long}")))

    ours = [line for line in told.splitlines() if not line.startswith("    ") or line.startswith("      ")]
    assert max(map(len, ours)) <= 80
    assert "    ALTER TABLE child ADD CONSTRAINT child_fk FOREIGN KEY (parent_id) REFERENCES parent (id);" in told
    assert "because a new foreign key of child refers to it" in " ".join(told.split())
