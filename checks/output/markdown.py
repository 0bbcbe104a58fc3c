"""The report as Markdown, short enough for a comment at a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from checks.finding import Finding, Severity
from checks.lock_rows import lock_rows
from checks.output.judged import Judged, Outcome
from checks.output.printable import as_block, as_code, printable
from checks.report import Part

LONGEST = 60_000  # characters; GitHub takes 65,536 in a comment
_SIGNS = {Severity.NOTE: "Note", Severity.WARNING: "Warning", Severity.BLOCKING: "**Blocking**"}


def as_markdown(outcome: Outcome) -> str:
    """Return a heading with the class, a table of scripts, then each script with its findings and locks.

    What would make it longer than LONGEST is left out, and said so.
    """
    parts = [_head(outcome), *_placed(outcome)]
    length = sum(map(len, parts))
    left_out = 0
    for one in outcome.judged:
        text = _script(one)
        if text and length + len(text) > LONGEST:
            left_out += 1
        elif text:
            parts.append(text)
            length += len(text)
    if left_out:
        parts.append(f"*{left_out} more not shown here: run `migration-check` to read them.*")
    return "\n\n".join(parts) + "\n"


def _head(outcome: Outcome) -> str:
    if not outcome.judged and not outcome.placed:
        return "## Migrations: nothing new"
    sizes = "sizes from a snapshot" if outcome.sized else "sizes unknown"
    rows = [
        f"| {as_code(one.path)} | {one.part} | {one.report.classified.risk if one.part is Part.FORWARD else ''} "
        f"| {len(one.report.findings)} |"
        for one in outcome.judged
    ]
    table = "\n".join(["| script | part | class | findings |", "|---|---|---|---|", *rows])
    return f"## Migrations: {outcome.risk}\n\nPostgreSQL {outcome.version}, {sizes}.\n\n{table}"


def _placed(outcome: Outcome) -> Iterator[str]:
    for one in outcome.placed:
        yield f"### {as_code(one.path)}\n\n{_finding(one.finding, with_line=False)}"


def _script(one: Judged) -> str:
    report = one.report
    parts = [_finding(finding, with_line=True) for finding in report.findings]
    if rows := list(lock_rows(report)):
        cells = [
            f"| {row.line} | {as_code(row.relation)} | {row.mode} | {row.blocks} | {_cell(row.cost)} |" for row in rows
        ]
        parts.append("\n".join(["| line | relation | lock | blocks | meaning |", "|---|---|---|---|---|", *cells]))
    if not parts:
        return ""
    if one.part is Part.FORWARD:
        reasons = "\n".join(f"- {_cell(reason)}" for reason in report.classified.reasons)
        parts.append(f"Why {report.classified.risk}:\n\n{reasons}")
    return "\n\n".join([f"### {as_code(one.path)}", *parts])


def _finding(finding: Finding, *, with_line: bool) -> str:
    place = f", line {finding.line}" if with_line else ""
    told = f"{_SIGNS[finding.severity]} `{finding.code}`{place}: {_cell(finding.message)} {_cell(finding.help)}"
    if finding.waived:
        return f"Ignored `{finding.code}`{place}: {_cell(finding.message)} Reason given: {_cell(finding.waived)}"
    return f"{told}\n\n{as_block(finding.rewrite)}" if finding.rewrite else told


def _cell(text: str) -> str:
    """Return words that may hold names of objects, so that none of them means something to Markdown or HTML."""
    shown = printable(text)
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+!|<>~$@" else char for char in shown).replace("&", "&amp;")
