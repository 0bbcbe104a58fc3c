"""Which findings a script's own comments ignore, and which of those comments have no effect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from checks.comments.directives import Directive, Kind, directives
from checks.finding import Finding, Rule, Severity
from checks.statements import Script


def waived(
    script: Script, findings: Iterable[Finding], *, known: Collection[str], asked: Collection[str], rule: Rule
) -> Iterator[Finding]:
    """Yield the findings of a script, each marked with the reason its author gives for ignoring it.

    A blocking finding is never marked. After them comes one finding of `rule` for each comment that has no effect: not
    readable, of a code that is not `known`, or of one that was `asked` and found nothing there.
    """
    said = directives(script)
    by_code: dict[str, list[int]] = {}
    for place, one in enumerate(said):
        if one.kind is Kind.IGNORE:
            by_code.setdefault(one.argument, []).append(place)
    used: set[int] = set()
    stubborn: set[int] = set()
    for finding in findings:
        fitting = [place for place in by_code.get(finding.code, ()) if said[place].covers(finding.statement)]
        if finding.severity is Severity.BLOCKING:
            stubborn.update(fitting)
        else:
            used.update(fitting)
        may_be_ignored = fitting and finding.severity is not Severity.BLOCKING
        yield replace(finding, waived=said[fitting[0]].reason) if may_be_ignored else finding
    for place, one in enumerate(said):
        if place not in used and (problem := _problem(one, known, asked, is_refused=place in stubborn)):
            yield _told(rule, one, problem)


def _problem(one: Directive, known: Collection[str], asked: Collection[str], *, is_refused: bool) -> str:
    """Return what is wrong with a comment that was not used, or "" where nothing is."""
    if not one.is_readable:
        return one.problem
    if one.kind is not Kind.IGNORE:
        return ""
    if is_refused:
        return f"{one.argument} is blocking and cannot be ignored. It must be resolved."
    if one.argument not in known:
        return f"No check has the code {one.argument}, so nothing is ignored."
    if one.argument in asked:
        return f"There is no {one.argument} here to be ignored."
    return ""  # its rule was not asked this time, so whether it finds something is not known


def _told(rule: Rule, one: Directive, problem: str) -> Finding:
    return Finding(
        code=rule.code,
        severity=rule.severity,
        message=problem,
        help=rule.help,
        rewrite="",
        line=one.line,
        column=1,
        statement=one.statement,
    )
