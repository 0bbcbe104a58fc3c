"""From the text of a script to its report: parse, ask every rule, classify."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from checks.errors import Unparsable
from checks.finding import Finding, Hit, Report
from checks.risk import classify
from checks.rules import RULES, UNPARSABLE, VERIFY_RULES
from checks.statements import Script, parse


class Part(StrEnum):
    """Which script of a migration it is."""

    FORWARD = "forward"
    ROLLBACK = "rollback"
    VERIFY = "verify"


def judge(script_text: str, *, part: Part = Part.FORWARD) -> Report:
    """Return the findings, the class and the statements of a script, findings in the order of the text.

    Never raises for bad SQL: a script that cannot be parsed is one blocking finding, and high-risk.
    """
    try:
        script = parse(script_text)
    except Unparsable as error:
        return Report((), (_unparsable(error),), classify(error), unparsable=error)
    findings = sorted(_findings(script, part), key=lambda finding: (finding.line, finding.column, finding.code))
    return Report(script.statements, tuple(findings), classify(script))


def _findings(script: Script, part: Part) -> Iterator[Finding]:
    for rule in (*RULES, *(VERIFY_RULES if part is Part.VERIFY else ())):
        for hit in rule.judge(script):
            line, column = _place(script, hit)
            index, rewrite = hit.statement.index, hit.rewrite if _can_be_offered(hit.rewrite) else ""
            yield Finding(rule.code, rule.severity, hit.message, rule.help, rewrite, line, column, index)


def _can_be_offered(rewrite: str) -> bool:
    """False for SQL that cannot be parsed: the parser's writer does not know the order of every clause."""
    try:
        return rewrite != "" and parse(rewrite).statements != ()
    except Unparsable:
        return False


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
