"""From the text of a script to its report: parse, follow it through its world, ask every rule, classify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from checks.alterations.commands import commands_of
from checks.batching.declared import with_batches
from checks.comments.waivers import waived
from checks.context import Context, Seen, World
from checks.errors import Unparsable
from checks.estimate import estimates
from checks.finding import Finding, Hit, Report, Rule
from checks.locks import effects_of
from checks.model import UNKNOWN
from checks.model.replay import begin, replay
from checks.risk import classify
from checks.rules import CATALOGUE, RULES, UNPARSABLE, VERIFY_RULES, WAIVER
from checks.statements import Script, can_be_parsed, parse


class Part(StrEnum):
    """Which script of a migration it is."""

    FORWARD = "forward"
    ROLLBACK = "rollback"
    VERIFY = "verify"


NOWHERE = World(UNKNOWN)
"""Where nothing is known: what one file alone is judged in."""

KNOWN_CODES = frozenset(one.code for one in CATALOGUE)
"""Every code that a finding about a script can have."""


def judge(script_text: str, *, part: Part = Part.FORWARD, world: World = NOWHERE, style: bool = False) -> Report:
    """Return the findings, the class and the effects of a script, findings in the order of the text.

    `style` asks the rules of taste too. What a comment of the script ignores is marked as waived, not left out. Never
    raises for bad SQL: a script that cannot be parsed is one blocking finding, and high-risk.
    """
    try:
        script = parse(script_text)
    except Unparsable as error:
        return unanalysed(error, world)
    context = follow(script, world)
    rules = [one for one in _of(part) if style or not one.is_style]
    findings = waived(
        script,
        _findings(context, rules),
        known=KNOWN_CODES,
        asked={one.code for one in rules},
        rule=WAIVER,
    )
    ordered = sorted(findings, key=lambda finding: (finding.line, finding.column, finding.code))
    estimated = estimates(context)
    classified = classify(context, estimated=estimated)
    return Report(context, tuple(ordered), classified, context.after, estimates=estimated)


def unanalysed(error: Unparsable, world: World = NOWHERE) -> Report:
    """Return the report of a script of which it is not known what it does: one blocking finding, and high-risk."""
    after = world.schema.doubting("a script that cannot be analysed")
    return Report(None, (_unparsable(error),), classify(error), after, unparsable=error)


def follow(script: Script, world: World) -> Context:
    """Return a script with the schema that each of its statements meets, and what each does to it."""
    script = with_batches(script)
    schema, seen = begin(world.schema), []
    for statement in script.statements:
        effects = effects_of(statement, schema, world.version)
        seen.append(Seen(statement, schema, effects, commands_of(statement, schema, effects, world.version)))
        schema = replay(schema, statement)
    return Context(script, tuple(seen), world, schema)


def _of(part: Part) -> tuple[Rule, ...]:
    return (*RULES, *VERIFY_RULES) if part is Part.VERIFY else RULES


def _findings(context: Context, rules: Iterable[Rule]) -> Iterator[Finding]:
    script = context.script
    for rule in rules:
        for hit in rule.judge(context):
            line, column = _place(script, hit)
            # The parser's writer does not know the order of every clause: what is no SQL is not offered.
            index, rewrite = hit.statement.index, hit.rewrite if hit.rewrite and can_be_parsed(hit.rewrite) else ""
            severity = hit.severity or rule.severity
            yield Finding(rule.code, severity, hit.message, rule.help, rewrite, line, column, index)


def _place(script: Script, hit: Hit) -> tuple[int, int]:
    """Return line and column of a hit, counted on from its statement: from the top each time would be quadratic."""
    at = hit.statement
    if hit.offset <= at.offset:
        return at.line, at.column
    newlines = script.text.count("\n", at.offset, hit.offset)
    if newlines == 0:
        return at.line, at.column + hit.offset - at.offset
    return at.line + newlines, hit.offset - script.text.rfind("\n", at.offset, hit.offset)


def _unparsable(error: Unparsable) -> Finding:
    return Finding(
        code=UNPARSABLE.code,
        severity=UNPARSABLE.severity,
        message=f"This cannot be analysed: {error.problem}.",
        help=UNPARSABLE.help,
        rewrite="",
        line=error.line,
        column=error.column,
        statement=-1,
    )
