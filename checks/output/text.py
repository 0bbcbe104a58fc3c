"""The report for people at a terminal."""

from __future__ import annotations

from rich.text import Text

from checks.finding import Finding, Severity
from checks.lock_rows import LockRow, lock_rows
from checks.output.judged import Judged, Outcome
from checks.output.page import Page
from checks.output.printable import printable
from checks.report import Part

_STYLES = {Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.BLOCKING: "bold red"}
_MARGIN = "    "


def as_text(outcome: Outcome) -> str:
    """Return every finding with a caret under its place, then of each script its locks, its class and why."""
    page = Page()
    for one in outcome.placed:
        _write_finding(page, f"{one.path} ", one.finding)
        page.print()
    for item in outcome.judged:
        _write_script(page, item)
    _write_sum(page, outcome)
    return str(page)


def _write_script(page: Page, item: Judged) -> None:
    report = item.report
    for finding in report.findings:
        _write_finding(page, f"{item.path}:{finding.line}:{finding.column} ", finding, item.text)
        page.print()
    if report.is_analysed and not report.statements:
        page.print(_shown(f"{item.path}: no statements", "bold"))
        return
    rows = list(lock_rows(report))
    if item.part is not Part.FORWARD and not rows:
        return
    told = f": {report.classified.risk}" if item.part is Part.FORWARD else f" ({item.part})"
    page.print(_shown(f"{item.path}{told}", "bold"))
    for line in _table(rows):
        page.print(_shown(f"  {line}"))
    if item.part is Part.FORWARD:
        for reason in report.classified.reasons:
            page.print(_shown(f"  - {reason}"))
    page.print()


def _table(rows: list[LockRow]) -> list[str]:
    """Return the lock table as aligned lines, each followed by the reason where the relation is not named."""
    cells = [(f"line {row.line}", row.relation, row.mode, row.cost) for row in rows]
    widths = [max(len(printable(cell)) for cell in column) for column in zip(*cells, strict=True)]
    lines = []
    for row, line in zip(rows, cells, strict=True):
        lines.append("  ".join(printable(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if row.because:
            lines.append(f"{' ' * (widths[0] + 2)}because {row.because}")
    return lines


def _write_finding(page: Page, place: str, finding: Finding, text: str = "") -> None:
    page.print(_shown(place), end="")
    page.print(_shown(f"{finding.severity} {finding.code}", _STYLES[finding.severity]), end="")
    page.print(_shown(", ignored" if finding.waived else ""))
    for line in _with_caret(text, finding) if text else ():
        page.print(Text(line))
    page.print(_shown(f"  {finding.message}"))
    if finding.waived:
        page.print(_shown(f"  Reason given: {finding.waived}", "dim"))
        return
    page.print(_shown(f"  {finding.help}", "dim"))
    if finding.rewrite:
        page.print(Text("  Safer:"))
        for line in finding.rewrite.split("\n"):
            page.print(_shown(f"{_MARGIN}{line}", "green"))


def _write_sum(page: Page, outcome: Outcome) -> None:
    passed = f"{_migrations(outcome.passed_over)} passed over"
    if not outcome.judged and not outcome.placed:
        page.print(_shown(f"nothing new: {passed}"))
    elif any(one.report.statements or not one.report.is_analysed for one in outcome.judged):
        forward = sum(one.part is Part.FORWARD for one in outcome.judged)
        told = [f"{outcome.risk}, {_migrations(forward)} judged", *([passed] if outcome.passed_over else [])]
        sizes = "sizes from the snapshot" if outcome.sized else "sizes unknown"
        page.print(_shown(f"{', '.join(told)}; PostgreSQL {outcome.version}, {sizes}.", "bold"))


def _migrations(count: int) -> str:
    return f"{count} migration{'' if count == 1 else 's'}"


def _shown(text: str, style: str = "") -> Text:
    """Return a line as it may be printed. Text, never markup: SQL is full of square brackets."""
    return Text(printable(text), style=style)


def _with_caret(text: str, finding: Finding) -> tuple[str, str]:
    """Return the line of a finding and a caret under its column. A control character is shown as a blank."""
    lines = text.split("\n")
    source = lines[finding.line - 1] if finding.line <= len(lines) else ""
    # A very long line is shown around the place only.
    start = max(0, finding.column - 81)
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + 160])
    return f"{_MARGIN}{shown}", f"{_MARGIN}{' ' * (finding.column - 1 - start)}^"
