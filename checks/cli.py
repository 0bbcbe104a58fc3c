"""The `migration-check` command: judge a folder of migrations, one file, or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from checks.errors import CheckError
from checks.files import MAX_FILE_BYTES, FileTooLarge, FileUnreadable, read_folder
from checks.finding import Finding, Report, Severity
from checks.layouts import detect, named
from checks.layouts.sql_pairs import NotUtf8
from checks.report import judge
from checks.risk import Risk

CLEAN, FOUND, NOT_ANALYSED = 0, 1, 2
_STYLES = {Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.BLOCKING: "bold red"}


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Judged:
    """One script with its place and its report."""

    path: str
    text: str
    report: Report


def check(
    path: Annotated[str, typer.Argument(help="A folder of migrations, one .sql file, or - for standard input.")],
    layout: Annotated[str, typer.Option(help="How the folder is laid out; auto finds out.")] = "auto",
    output: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.TEXT,
    fail_on: Annotated[Risk, typer.Option(help="The lowest class that makes the command fail.")] = Risk.HIGH,
) -> None:
    """Judge migrations before they reach a database.

    Ends with 0 when no script is of the class given with --fail-on or higher and none has a blocking finding, with 1
    when one is or has, and with 2 when something could not be analysed.
    """
    try:
        judged = [Judged(name, text, judge(text)) for name, text in _scripts(path, layout)]
    except CheckError as error:
        _write_refusal(error, output)
        raise typer.Exit(NOT_ANALYSED) from None
    if output is Format.JSON:
        typer.echo(json.dumps([_as_json(item) for item in judged], ensure_ascii=False, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for item in judged:
            _write(console, item)
    raise typer.Exit(exit_code([item.report for item in judged], fail_on=fail_on))


def exit_code(reports: list[Report], *, fail_on: Risk) -> int:
    """Return 2 if any script could not be analysed, 1 if any reaches `fail_on` or has a blocking finding, else 0."""
    if not all(report.is_analysed for report in reports):
        return NOT_ANALYSED
    found = any(
        report.classified.risk >= fail_on or any(item.severity is Severity.BLOCKING for item in report.findings)
        for report in reports
    )
    return FOUND if found else CLEAN


def _scripts(path: str, layout: str) -> Iterator[tuple[str, str]]:
    """Yield the name and text of every forward script. Raises a CheckError."""
    if path == "-":
        yield "standard input", _decoded("standard input", sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    elif Path(path).is_file():
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise FileUnreadable(path=path, problem=error.strerror or "unknown reason") from error
        yield path, _decoded(path, content)
    else:
        files = read_folder(Path(path))
        chosen = detect(files) if layout == "auto" else named(layout)
        for migration in chosen.read(files):
            yield migration.paths["forward"], _decoded(migration.paths["forward"], migration.forward)


def _decoded(path: str, content: bytes) -> str:
    if len(content) > MAX_FILE_BYTES:
        raise FileTooLarge(path=path, size_bytes=len(content))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(path=path, byte=error.start) from None


def _write_refusal(error: CheckError, output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps({"error": {"code": error.code, "message": str(error)}}, ensure_ascii=False))
    else:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"{error.code}: {error}"))


def _as_json(item: Judged) -> dict[str, object]:
    return {
        "path": item.path,
        "risk": item.report.classified.risk,
        "reasons": item.report.classified.reasons,
        "analysed": item.report.is_analysed,
        "statements": len(item.report.statements),
        "findings": [asdict(finding) for finding in item.report.findings],
    }


def _write(console: Console, item: Judged) -> None:
    # Text, never markup: SQL is full of square brackets.
    for finding in item.report.findings:
        console.print(Text(f"{item.path}:{finding.line}:{finding.column} "), end="")
        console.print(Text(f"{finding.severity} {finding.code}", style=_STYLES[finding.severity]))
        for line in _with_caret(item.text, finding):
            console.print(Text(line))
        console.print(Text(f"  {finding.message}"))
        console.print(Text(f"  {finding.help}", style="dim"))
        if finding.rewrite:
            console.print(Text("  Safer:"))
            for line in finding.rewrite.splitlines():
                console.print(Text(f"    {line}", style="green"))
        console.print()
    console.print(Text(f"{item.path}: {item.report.classified.risk}", style="bold"))
    for reason in item.report.classified.reasons:
        console.print(Text(f"  - {reason}"))


def _with_caret(text: str, finding: Finding) -> tuple[str, str]:
    """Return the line of a finding and a caret under its column; control characters cannot reach the terminal."""
    lines = text.split("\n")
    source = lines[finding.line - 1] if finding.line <= len(lines) else ""
    # A very long line is shown around the place only.
    start = max(0, finding.column - 81)
    shown = "".join(char if char.isprintable() else " " for char in source[start : start + 160])
    return f"    {shown}", f"    {' ' * (finding.column - 1 - start)}^"


def main() -> None:
    """Run the command."""
    typer.run(check)


if __name__ == "__main__":
    main()
