"""How a report is written for people and for programs. Nothing a script or a path holds can control the terminal."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import ClassVar

from rich.console import Console
from rich.text import Text

from checks.errors import CheckError
from checks.finding import Finding, Report, Severity
from checks.report import Part

_STYLES = {Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.BLOCKING: "bold red"}


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


class OutputFailed(CheckError):
    """The report could not be written to its end."""

    code: ClassVar[str] = "output-failed"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"The report could not be written: {problem}. What is there of it is not the whole and proves nothing "
            "about the database. Make room or open the way for it, and run the command again."
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """One script with its place and its report."""

    path: str
    part: Part
    text: str
    report: Report


def write(judged: list[Judged], output: Format) -> None:
    """Write the whole report to standard output. Raises OutputFailed."""
    _let_every_character_through()
    try:
        if output is Format.JSON:
            # ASCII only: other letters would reach the terminal as they are, its control characters among them.
            sys.stdout.write(json.dumps([_as_json(item) for item in judged], indent=2) + "\n")
        else:
            console = Console(highlight=False, soft_wrap=True)
            # Written by us and not by the console, which ends the process its own way when nobody reads.
            with console.capture() as written:
                for item in judged:
                    _write_text(console, item)
            sys.stdout.write(written.get())
        sys.stdout.flush()
    except OSError as error:
        _write_no_more()
        raise OutputFailed(problem=error.strerror or str(error)) from error


def write_refusal(error: CheckError, output: Format) -> None:
    """Write why nothing was judged. If even that cannot be written, the exit status says it alone."""
    with suppress(OSError):
        if output is Format.JSON:
            sys.stdout.write(json.dumps({"error": {"code": error.code, "message": str(error)}}) + "\n")
            sys.stdout.flush()
        else:
            Console(stderr=True, highlight=False, soft_wrap=True).print(_shown(f"{error.code}: {error}"))


def _let_every_character_through() -> None:
    """Write what the encoding of standard output does not have as an escape, instead of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    """Let Python's own flush at the end go nowhere: a second failure would replace our exit status."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _as_json(item: Judged) -> dict[str, object]:
    return {
        "path": item.path,
        "part": item.part,
        "risk": item.report.classified.risk,
        "reasons": item.report.classified.reasons,
        "analysed": item.report.is_analysed,
        "statements": len(item.report.statements),
        "findings": [asdict(finding) for finding in item.report.findings],
    }


def _write_text(console: Console, item: Judged) -> None:
    for finding in item.report.findings:
        console.print(_shown(f"{item.path}:{finding.line}:{finding.column} "), end="")
        console.print(_shown(f"{finding.severity} {finding.code}", _STYLES[finding.severity]))
        for line in _with_caret(item.text, finding):
            console.print(Text(line))
        console.print(_shown(f"  {finding.message}"))
        console.print(_shown(f"  {finding.help}", "dim"))
        if finding.rewrite:
            console.print(Text("  Safer:"))
            for line in finding.rewrite.split("\n"):
                console.print(_shown(f"    {line}", "green"))
        console.print()
    if item.report.is_analysed and not item.report.statements:
        console.print(_shown(f"{item.path}: no statements", "bold"))
        return
    console.print(_shown(f"{item.path}: {item.report.classified.risk}", "bold"))
    for reason in item.report.classified.reasons:
        console.print(_shown(f"  - {reason}"))


def _shown(text: str, style: str = "") -> Text:
    r"""Return a line as it may be printed: a control character as an escape such as \x1b.

    Text, never markup: SQL is full of square brackets.
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return Text(shown, style=style)


def _with_caret(text: str, finding: Finding) -> tuple[str, str]:
    """Return the line of a finding and a caret under its column. A control character is shown as a blank."""
    lines = text.split("\n")
    source = lines[finding.line - 1] if finding.line <= len(lines) else ""
    # A very long line is shown around the place only.
    start = max(0, finding.column - 81)
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + 160])
    return f"    {shown}", f"    {' ' * (finding.column - 1 - start)}^"
