"""What every format says of the same outcome, and that nothing a file holds can speak for us."""

from __future__ import annotations

import json
import re

import pytest
from sarif_pydantic import Sarif

from checks.context import World
from checks.finding import Finding, Severity
from checks.model import EMPTY
from checks.output import Judged, Outcome, Placed
from checks.output.data import as_json
from checks.output.github import as_github
from checks.output.markdown import LONGEST, as_markdown
from checks.output.sarif import as_sarif
from checks.output.text import as_text
from checks.report import Part, judge
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
