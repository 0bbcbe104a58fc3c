"""Every rule finds its bad example, leaves its good one alone, and suggests what it would not find itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from checks.context import NEWEST_VERSION, OLDEST_VERSION, World
from checks.docs import pages
from checks.examples import files_of, world_of
from checks.finding import Finding, Rule, Severity
from checks.model.replay import replay_script
from checks.report import Part, judge
from checks.rules import CATALOGUE, RULES, VERIFY_RULES
from checks.statements import parse
from tests.checks.rules.expected import WARNED_OF_TOO

ROOT = Path(__file__).parents[3]


def found(sql: str, world: World, rule: Rule) -> list[Finding]:
    return [one for one in judge(sql, world=world, style=rule.is_style).findings if one.code == rule.code]


def warned(sql: str, world: World, rule: Rule) -> set[str]:
    """Return the codes of warnings beside those that this rule's examples cannot be without."""
    codes = {one.code for one in judge(sql, world=world).findings if one.severity is not Severity.NOTE}
    return codes - WARNED_OF_TOO.get(rule.code, set())


def in_turn(files: tuple[str, ...], world: World) -> Iterator[tuple[str, World]]:
    """Yield each file with the world that the files before it made."""
    for file in files:
        yield file, world
        world = World(replay_script(world.schema, parse(file)), world.version)


def test_every_bad_example_is_found_on_the_oldest_and_the_newest_version():
    versions = (OLDEST_VERSION, NEWEST_VERSION)

    missed = {(r.code, v) for r in RULES for v in versions if not found(r.bad, world_of(r, v), r)}

    assert missed == {("syntax-newer-than-server", NEWEST_VERSION), ("index-concurrently-on-14", NEWEST_VERSION)}


def test_every_bad_example_has_one_warning_for_its_one_danger():
    others = {rule.code: warned(rule.bad, world_of(rule), rule) - {rule.code} for rule in RULES}

    assert not {code: more for code, more in others.items() if more}


def test_no_good_example_is_found_or_warned_of():
    judged = [
        (rule.code, found(file, world, rule), warned(file, world, rule))
        for rule in RULES
        for file, world in in_turn(files_of(rule.good), world_of(rule))
    ]

    assert not [one for one in judged if one[1] or one[2]]


def test_what_is_suggested_is_not_found_again_when_its_files_are_judged_one_after_the_other():
    suggested = [
        (rule, finding.rewrite, version)
        for rule in RULES
        for version in (OLDEST_VERSION, NEWEST_VERSION)
        for finding in found(rule.bad, world_of(rule, version), rule)
        if finding.rewrite
    ]
    judged = [
        (rule.code, version, file, found(file, world, rule), warned(file, world, rule))
        for rule, rewrite, version in suggested
        for file, world in in_turn(files_of(rewrite), world_of(rule, version))
    ]

    assert len(suggested) > len(RULES) / 2
    assert not [one for one in judged if one[3] or one[4]]


def test_every_text_of_a_rule_is_written():
    texts = {r.code: (r.title, r.why, r.blocks, r.help, r.source, r.bad, r.good) for r in CATALOGUE}

    assert not [code for code, written in texts.items() if not all(text.strip() for text in written)]


def test_every_rule_file_is_in_the_tuple_and_no_code_is_used_twice():
    files = {path.stem.replace("_", "-") for path in (ROOT / "checks" / "rules").glob("[a-z]*.py")}

    assert sorted(rule.code for rule in CATALOGUE) == sorted(files)


def test_the_pages_are_what_the_rules_say_today():
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "checks").glob("*.md")}

    assert written == pages(), "run: python -m checks.docs"


def test_a_verify_script_is_asked_more():
    for rule in VERIFY_RULES:
        world = world_of(rule)

        assert rule.code in [one.code for one in judge(rule.bad, world=world, part=Part.VERIFY).findings]
        assert judge(rule.good, world=world, part=Part.VERIFY).findings == ()
        assert found(rule.bad, world, rule) == []
