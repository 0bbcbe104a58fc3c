"""The report as Markdown, short enough for a comment at a pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate, takewhile

from checks.finding import Finding, Severity
from checks.lock_rows import lock_rows, quiet_rows
from checks.output.judged import Judged, Outcome
from checks.output.printable import as_block, as_code, printable
from checks.output.reviewed import (
    MOST_EVIDENCE,
    PHASES,
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

LONGEST = 60_000  # characters; GitHub takes 65,536 in a comment
LONGEST_TABLE = 20_000  # of them for the table of scripts
_SIGNS = {Severity.NOTE: "Note", Severity.WARNING: "Warning", Severity.BLOCKING: "**Blocking**"}


def as_markdown(outcome: Outcome) -> str:
    """Return a heading with the class, a table of scripts, then each script with its findings, locks and review.

    What would make it longer than LONGEST is left out, and said so.
    """
    shared = everywhere(outcome)
    parts = [_head(outcome)]
    length = len(parts[0])
    left_out = 0
    for text in _parts(outcome, shared):
        if text and length + len(text) > LONGEST:
            left_out += 1
        elif text:
            parts.append(text)
            length += len(text) + len("\n\n")
    if left_out:
        parts.append(f"*{left_out} more not shown here: run `migration-check` to read them.*")
    return "\n\n".join(parts) + "\n"


def _parts(outcome: Outcome, shared: Collection[Item]) -> Iterator[str]:
    yield from _placed(outcome)
    if shared:
        yield "\n".join(["Open in every migration:", "", *_open(opened_of(shared))])
    for one in outcome.judged:
        yield _script(one, shared)


def _head(outcome: Outcome) -> str:
    if not outcome.judged and not outcome.placed:
        return "## Migrations: nothing new"
    sizes = "sizes from a snapshot" if outcome.sized else "sizes unknown"
    rows = [f"| {' | '.join((as_code(one.path), one.part, *_cells(one)))} |" for one in outcome.judged]
    shown = list(takewhile(lambda length: length <= LONGEST_TABLE, accumulate(len(row) + 1 for row in rows)))
    if len(shown) < len(rows):
        rows = [*rows[: len(shown)], f"| *{len(rows) - len(shown)} more* | | | | | |"]
    table = "\n".join(["| script | part | class | phase | old code | findings |", "|---|---|---|---|---|---|", *rows])
    return f"## Migrations: {outcome.risk}\n\nPostgreSQL {outcome.version}, {sizes}.\n\n{table}"


_OLD_CODE = {True: "goes on", False: "**breaks**", None: "not known"}


def _cells(one: Judged) -> tuple[str, ...]:
    """Return the class, the phase and what becomes of old code, of a forward script, and how many findings it has."""
    is_forward, review = one.part is Part.FORWARD, one.review
    return (
        str(one.report.classified.risk) if is_forward else "",
        PHASES.get(review.phase, review.phase) if review else "",
        _OLD_CODE[review.is_compatible] if review else "",
        str(len(one.report.findings)),
    )


def _placed(outcome: Outcome) -> Iterator[str]:
    for one in outcome.placed:
        yield f"### {as_code(one.path)}\n\n{_finding(one.finding, with_line=False)}"


def _script(one: Judged, shared: Collection[Item]) -> str:
    report = one.report
    parts = [_finding(finding, with_line=True) for finding in report.findings]
    rows = [(str(row.line), row) for row in lock_rows(report)]
    # What is over in a moment and stops nobody is not worth a line of a comment.
    quiet = [(lines.partition(" ")[2], row) for lines, row in quiet_lines([q for q in quiet_rows(report) if q.lasts])]
    if rows or quiet:
        cells = [
            f"| {lines} | {as_code(row.relation)} | {row.mode} | {row.blocks} | {_cell(row.cost)} |"
            for lines, row in (*rows, *quiet)
        ]
        parts.append("\n".join(["| line | relation | lock | what waits | meaning |", "|---|---|---|---|---|", *cells]))
    if parts and one.part is Part.FORWARD:
        reasons = "\n".join(f"- {_cell(reason)}" for reason in report.classified.reasons)
        parts.append(f"Why {report.classified.risk}:\n\n{reasons}")
    if one.review is not None:
        parts += _review(one.review, shared)
    return "\n\n".join([f"### {as_code(one.path)}", *parts]) if parts else ""


def _review(review: Review, shared: Collection[Item]) -> Iterator[str]:
    """Yield what is open: what breaks old code, the items that are not met, and how the migration could be split."""
    if broken := [f"- {_cell(words)}" for words in breaks_of(review)]:
        yield "\n".join([f"{_cell(in_short(review))}:", "", *broken])
    if found := opened(review, without=shared):
        yield "\n".join([f"Review: {count_met(review)}. Open:", "", *_open(found)])
    if review.split:
        said = f"It does {len(review.split)} things that could be migrations of their own"
        files = [f"{number}. {_cell(one.title)}: {place_of(one)}" for number, one in enumerate(review.split, start=1)]
        blocks = [as_block(one.text.rstrip("\n")) for one in review.split]
        listed = "\n\n".join(block for pair in zip(files, blocks, strict=True) for block in pair)
        yield f"<details><summary>{said}</summary>\n\n{listed}\n\n</details>"


def _open(found: Iterable[Open]) -> Iterator[str]:
    for one in found:
        yield f"- {str(one.outcome).capitalize()}: **{one.title}**. {_cell(one.words)}"
        yield from (f"  - {_cell(seen)}" for seen in one.evidence[:MOST_EVIDENCE])
        if len(one.evidence) > MOST_EVIDENCE:
            yield f"  - and {len(one.evidence) - MOST_EVIDENCE} more"


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
