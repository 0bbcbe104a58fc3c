"""The report for people at a terminal."""

from __future__ import annotations

from collections.abc import Collection

from rich.text import Text

from checks.finding import Finding, Severity
from checks.lock_rows import LockRow, lock_rows, quiet_rows
from checks.output.judged import Judged, Outcome
from checks.output.page import Page
from checks.output.printable import printable
from checks.output.reviewed import (
    MOST_EVIDENCE,
    Open,
    breaks_of,
    count_met,
    everywhere,
    in_short,
    opened,
    opened_of,
    place_of,
    quiet_lines,
)
from checks.report import Part
from checks.reviewing.review import Review
from checks.reviewing.values import Item

_STYLES = {Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.BLOCKING: "bold red"}
_MARGIN = "    "
_ENOUGH = 36  # columns for what a lock means; where fewer are left it stands below
_DEEP = 6


def as_text(outcome: Outcome) -> str:
    """Return every finding with a caret under its place, then of each script its locks, its class and its review."""
    page = Page()
    for one in outcome.placed:
        _write_finding(page, f"{one.path} ", one.finding)
        page.print()
    shared = everywhere(outcome)
    for item in outcome.judged:
        _write_script(page, item, shared)
    _write_sum(page, outcome, shared)
    return str(page)


def _write_script(page: Page, item: Judged, shared: Collection[Item]) -> None:
    report = item.report
    for finding in report.findings:
        _write_finding(page, f"{item.path}:{finding.line}:{finding.column} ", finding, item.text)
        page.print()
    if report.is_analysed and not report.statements:
        page.print(_shown(f"{item.path}: no statements", "bold"))
        return
    rows, quiet = list(lock_rows(report)), list(quiet_rows(report))
    if item.part is not Part.FORWARD and not rows and not any(one.lasts for one in quiet):
        return
    told = f": {report.classified.risk}" if item.part is Part.FORWARD else f" ({item.part})"
    page.print(_shown(f"{item.path}{told}", "bold"))
    _write_locks(page, rows, quiet)
    if item.part is Part.FORWARD:
        for reason in report.classified.reasons:
            _write_item(page, reason)
    if item.review is not None:
        _write_review(page, item.review, shared)
    page.print()


def _write_locks(page: Page, rows: list[LockRow], quiet: list[LockRow]) -> None:
    """Write the lock table: who waits for which statement; below, dim, what stops neither reads nor writes."""
    told = [(f"line {row.line}", row, "") for row in rows]
    told += [(lines, row, "dim") for lines, row in quiet_lines(quiet)]
    cells = [(lines, printable(row.relation), row.mode) for lines, row, _ in told]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    indent = 2 + sum(widths) + 2 * len(widths)
    is_wide = page.width is None or page.width - indent >= _ENOUGH
    for cell, (_, row, style) in zip(cells, told, strict=True):
        head = "  " + "  ".join(one.ljust(width) for one, width in zip(cell, widths, strict=True))
        waits = f"; waiting: {row.blocks}" if style else ""
        said = printable(f"{row.cost}{waits}")
        if is_wide:
            first, *more = page.folded(said, indent=indent)
            page.print(Text(f"{head}  {first}", style))
        else:
            more = page.folded(said, indent=_DEEP)
            indent = _DEEP
            page.print(Text(head.rstrip(), style))
        more += page.folded(printable(f"because {row.because}"), indent=indent) if row.because else []
        for line in more:
            page.print(Text(f"{' ' * indent}{line}", style))


def _write_review(page: Page, review: Review, shared: Collection[Item]) -> None:
    _write_said(page, in_short(review), indent=2)
    for words in breaks_of(review):
        _write_item(page, words, indent=4)
    if review.split:
        _write_said(page, f"It does {len(review.split)} things that could be migrations of their own:", indent=2)
        for number, one in enumerate(review.split, start=1):
            _write_item(page, f"{one.title}: {place_of(one)}", f"{number}.", indent=4)
    if review.items:
        found = opened(review, without=shared)
        _write_said(page, f"review: {count_met(review)}{'; open:' if found else ''}", indent=2)
        for item in found:
            _write_open(page, item)


def _write_open(page: Page, one: Open) -> None:
    _write_item(page, f"{one.outcome}: {one.title}. {one.words}", indent=4)
    for seen in one.evidence[:MOST_EVIDENCE]:
        _write_said(page, seen, indent=6, style="dim")
    if len(one.evidence) > MOST_EVIDENCE:
        _write_said(page, f"and {len(one.evidence) - MOST_EVIDENCE} more", indent=6, style="dim")


def _write_item(page: Page, text: str, mark: str = "-", *, indent: int = 2) -> None:
    _write_said(page, text, indent=indent + len(mark) + 1, mark=f"{' ' * indent}{mark} ")


def _write_said(page: Page, text: str, *, indent: int, style: str = "", mark: str = "") -> None:
    """Write a sentence, on a terminal in lines that fit, each as deep as the first word."""
    first, *more = page.folded(printable(text), indent=indent)
    page.print(Text(f"{mark or ' ' * indent}{first}", style=style))
    for line in more:
        page.print(Text(f"{' ' * indent}{line}", style=style))


def _write_finding(page: Page, place: str, finding: Finding, text: str = "") -> None:
    page.print(_shown(place), end="")
    page.print(_shown(f"{finding.severity} {finding.code}", _STYLES[finding.severity]), end="")
    page.print(_shown(", ignored" if finding.waived else ""))
    for line in _with_caret(text, finding) if text else ():
        page.print(Text(line))
    _write_said(page, finding.message, indent=2)
    if finding.waived:
        _write_said(page, f"Reason given: {finding.waived}", indent=2, style="dim")
        return
    _write_said(page, finding.help, indent=2, style="dim")
    if finding.rewrite:
        page.print(Text("  Safer:"))
        for line in finding.rewrite.split("\n"):
            page.print(_shown(f"{_MARGIN}{line}", "green"))


def _write_sum(page: Page, outcome: Outcome, shared: Collection[Item]) -> None:
    if shared:
        page.print(_shown("Open in every migration:"))
        for one in opened_of(shared):
            _write_open(page, one)
        page.print()
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
