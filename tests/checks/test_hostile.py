"""Text that means harm, through the whole of a judgement: nothing crashes or hangs, and nothing is safe by silence."""

from __future__ import annotations

import json

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from checks.asked import CLEAN, FOUND, NOT_ANALYSED
from checks.command import check
from checks.context import NEWEST_VERSION, OLDEST_VERSION, World
from checks.depth import MAX_DEPTH
from checks.finding import Severity
from checks.locks import effects_of
from checks.model import EMPTY, UNKNOWN
from checks.model.replay import replay_script
from checks.report import Part, judge
from checks.risk import Risk
from checks.statements import parse
from tests.checks.hostile_sql import CLAUSES, EVERY_KIND, HARMLESS, HUGE, NOBODY_USES, SETUP

# What is known of the database: nothing, that it is empty, or the tables that most of the statements are about.
SCHEMAS = {"nothing": UNKNOWN, "empty": EMPTY, "tables": replay_script(EMPTY, parse(SETUP))}
SEPARATORS = [";", ";\n", " ;\r\n\r\n", ";-- é; ;\n", ";;\t/* 😀 ; /* */ */ ;\n"]
worlds = st.builds(
    World, st.sampled_from(list(SCHEMAS.values())), st.integers(OLDEST_VERSION, NEWEST_VERSION), st.booleans()
)
quickly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def require_told(report):
    """What was not analysed is blocking, of the highest class, and leaves a doubt about the schema."""
    if report.is_analysed:
        return
    assert report.classified.risk is Risk.HIGH
    assert any(finding.severity is Severity.BLOCKING for finding in report.findings)
    assert report.after.doubts


@quickly
@given(st.lists(st.sampled_from(EVERY_KIND), max_size=12), st.sampled_from(SEPARATORS), worlds)
def test_statements_of_every_kind_joined_are_split_and_judged_one_by_one(chosen, separator, world):
    text = "".join(sql + separator for sql in chosen)

    report = judge(text, world=world, style=True)

    assert report.is_analysed
    assert [one.sql for one in report.statements] == chosen
    for one in report.statements:
        assert text[one.offset : one.offset + len(one.sql)] == one.sql
        assert (one.line, one.column) == (
            text.count("\n", 0, one.offset) + 1,
            one.offset - text.rfind("\n", 0, one.offset),
        )
    for finding in report.findings:
        line, column = finding.line - 1, finding.column - 1
        assert column <= len(text.split("\n")[line])


def silent_in(schema):
    """Return the statements of which nothing at all is said: no lock, nothing unknown, no refusal."""
    return {
        sql
        for sql in EVERY_KIND
        for version in range(OLDEST_VERSION, NEWEST_VERSION + 1)
        if (effects := effects_of(parse(sql).statements[0], schema, version))
        and not (effects.locks or effects.indexes or effects.unknown or effects.untold or effects.fails)
    }


def test_only_what_is_on_the_list_is_said_to_touch_nothing():
    assert silent_in(UNKNOWN) <= HARMLESS
    assert silent_in(SCHEMAS["tables"]) <= HARMLESS | NOBODY_USES


@quickly
@given(st.sampled_from(EVERY_KIND), worlds, st.sampled_from(Part), st.data())
def test_a_statement_cut_off_anywhere_is_told_or_is_another_statement(sql, world, part, data):
    content = sql.encode()
    cut = content[: data.draw(st.integers(0, len(content)))].decode(errors="replace")

    report = judge(cut, part=part, world=world)

    require_told(report)
    assert report.findings or report.classified.reasons


@quickly
@given(st.text(max_size=300), worlds, st.sampled_from(Part))
def test_any_text_at_all_gets_a_report(text, world, part):
    require_told(judge(text, part=part, world=world))


@quickly
@given(st.lists(st.sampled_from(EVERY_KIND), min_size=1, max_size=3), st.text(max_size=3), st.data())
def test_text_put_anywhere_into_a_script_is_told_or_is_another_script(chosen, foreign, data):
    text = ";\n".join(chosen)
    place = data.draw(st.integers(0, len(text)))

    require_told(judge(text[:place] + foreign + text[place:], world=World(SCHEMAS["tables"])))


def test_twenty_thousand_nested_brackets_are_refused_in_every_clause():
    for before, opening, inner, closing, after in CLAUSES.values():
        report = judge(f"{before}{opening * 20_000}{inner}{closing * 20_000}{after}", world=World(SCHEMAS["tables"]))

        assert not report.is_analysed, opening
        require_told(report)


def test_nesting_in_a_text_that_is_not_parsed_is_unknown_and_not_safe():
    report = judge(f"DO $$ BEGIN PERFORM {'(' * 20_000}1{')' * 20_000}; END $$", world=World(SCHEMAS["tables"]))

    assert report.seen[0].effects.unknown
    assert report.classified.risk > Risk.SAFE


@pytest.mark.parametrize("depth", [60, 600])
def test_nesting_that_the_parser_takes_is_judged_in_every_clause(depth):
    for before, opening, inner, closing, after in CLAUSES.values():
        text = f"{before}{opening * depth}{inner}{closing * depth}{after}"

        report = judge(text, world=World(SCHEMAS["tables"]), style=True)

        require_told(report)
        assert report.findings or report.classified.reasons, opening


def test_a_nest_as_deep_as_is_allowed_is_judged():
    deepest = "(" * (MAX_DEPTH - 10) + "state > 0" + ")" * (MAX_DEPTH - 10)

    for before, after in [("ALTER TABLE orders ADD CHECK (", ")"), ("DELETE FROM orders WHERE ", "")]:
        require_told(judge(before + deepest + after, world=World(SCHEMAS["tables"])))


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_five_megabytes_are_judged(text):
    report = judge(text, world=World(SCHEMAS["tables"]))

    assert report.is_analysed
    assert report.classified.risk is Risk.HIGH


def test_two_thousand_commands_of_one_statement_are_judged():
    commands = ", ".join(f"ADD COLUMN c{number} int" for number in range(2_000))

    report = judge(f"ALTER TABLE orders {commands}", world=World(SCHEMAS["tables"]))

    assert len(report.after.find("orders").columns) == 2_005


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(EVERY_KIND), max_size=3), st.binary(max_size=20), st.data())
def test_the_command_never_says_clean_of_what_it_could_not_read(tmp_path, chosen, foreign, data):
    content = ";\n".join(chosen).encode()
    place = data.draw(st.integers(0, len(content)))
    file = tmp_path / "hostile.sql"
    file.write_bytes(content[:place] + foreign + content[place:])
    app = typer.Typer()
    app.command()(check)

    answer = CliRunner().invoke(app, [str(file), "--format", "json"])

    told = json.loads(answer.stdout)
    assert answer.exit_code in {CLEAN, FOUND, NOT_ANALYSED}
    unread = "error" in told or not all(script["analysed"] for script in told["scripts"])
    assert (answer.exit_code == NOT_ANALYSED) is unread
