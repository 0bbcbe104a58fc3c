"""From the text of a script to its report: parse, ask every rule, classify."""

from __future__ import annotations

from collections.abc import Iterator

from checks.errors import Unparsable
from checks.finding import Finding, Hit, Report
from checks.risk import classify
from checks.rules import RULES, UNPARSABLE
from checks.statements import Script, parse


def judge(script_text: str) -> Report:
    """Return the findings, the class and the statements of a script, findings in the order of the text.

    Never raises for bad SQL: a script that cannot be parsed is one blocking finding, and high-risk.
    """
    try:
        script = parse(script_text)
    except Unparsable as error:
        return Report((), (_unparsable(error),), classify(error), unparsable=error)
    findings = sorted(_findings(script), key=lambda finding: (finding.line, finding.column, finding.code))
    return Report(script.statements, tuple(findings), classify(script))


def _findings(script: Script) -> Iterator[Finding]:
    for rule in RULES:
        for hit in rule.judge(script):
            line, column = _place(script, hit)
            index = hit.statement.index
            yield Finding(rule.code, rule.severity, hit.message, rule.help, hit.rewrite, line, column, index)


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
