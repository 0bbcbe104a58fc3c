"""The `migration-check` command: judge a folder of migrations, one file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from checks.context import DEFAULT_VERSION, NEWEST_VERSION, OLDEST_VERSION, World
from checks.errors import CheckError
from checks.finding import Severity
from checks.layouts import detect, named
from checks.layouts.errors import require_utf8
from checks.model import UNKNOWN
from checks.model.saved import from_json
from checks.output import Format, Judged, Outcome, OutputFailed, write, write_refusal
from checks.project.cache import Memory
from checks.project.files import MAX_FILE_BYTES, MAX_JUDGED_FILE_BYTES, is_folder, read_file, within_limit
from checks.project.following import Start, judged, placed, read_project
from checks.report import Part, judge
from checks.risk import Risk

CLEAN, FOUND, NOT_ANALYSED = 0, 1, 2


def check(
    path: Annotated[str, typer.Argument(help="A folder of migrations, one .sql file, or - for standard input.")],
    *,
    layout: Annotated[str, typer.Option(help="How the folder is laid out; auto finds out.")] = "auto",
    pg: Annotated[
        int | None,
        typer.Option(
            min=OLDEST_VERSION, max=NEWEST_VERSION, help="The major version of the server.", show_default=False
        ),
    ] = None,
    base: Annotated[
        str, typer.Option(help="A branch or commit: judge only what is new or changed since the work of now left it.")
    ] = "",
    snapshot: Annotated[
        str, typer.Option(help="A file of export_snapshot: the schema of a real database, with sizes and traffic.")
    ] = "",
    output: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.TEXT,
    fail_on: Annotated[Risk, typer.Option(help="The lowest class that makes the command fail.")] = Risk.HIGH,
    style: Annotated[bool, typer.Option("--style", help="Ask about matters of taste too.")] = False,
    cache: Annotated[
        bool, typer.Option(help="Keep what was judged in the user's folder for caches, and judge only what is new.")
    ] = True,
) -> None:
    """Judge migrations before they reach a database.

    Ends with 0 when no forward script is of the class given with --fail-on or higher and nothing has a blocking
    finding, with 1 when one is or has, and with 2 when something could not be analysed or the report not be written.
    """
    try:
        start = _start(snapshot, pg)
        outcome = _outcome(path, start, layout=layout, base=base, style=style, remembers=cache)
        write(outcome, output)
    except OutputFailed as error:
        write_refusal(error, Format.TEXT)
        raise typer.Exit(NOT_ANALYSED) from None
    except CheckError as error:
        write_refusal(error, output)
        raise typer.Exit(NOT_ANALYSED) from None
    raise typer.Exit(exit_code(outcome, fail_on=fail_on))


def exit_code(outcome: Outcome, *, fail_on: Risk) -> int:
    """Return 2 if any script could not be analysed, 1 if one reaches `fail_on` or anything is blocking, else 0."""
    if not all(item.report.is_analysed for item in outcome.judged):
        return NOT_ANALYSED
    reached = any(one.part is Part.FORWARD and one.report.classified.risk >= fail_on for one in outcome.judged)
    blocking = any(finding.severity is Severity.BLOCKING for _, finding in outcome.findings())
    return FOUND if reached or blocking else CLEAN


def _start(snapshot: str, version: int | None) -> Start:
    """Return where the first migration begins: on the schema of a snapshot, or on an empty one."""
    if not snapshot:
        return Start(version or DEFAULT_VERSION)
    saved = from_json(require_utf8(snapshot, read_file(snapshot, largest=MAX_JUDGED_FILE_BYTES)))
    return Start(version or saved.major, saved.schema, frozenset(saved.applied), is_sized=True)


def _outcome(path: str, start: Start, *, layout: str, base: str, style: bool, remembers: bool) -> Outcome:
    """Return everything that was judged. Raises a CheckError."""
    if path == "-" or not is_folder(path):
        alone = _alone(path, start, style=style)
        return Outcome((alone,), version=start.version, sized=start.is_sized)
    chosen = detect(Path(path)) if layout == "auto" else named(layout)
    project = read_project(Path(path), chosen, base=base)
    memory = Memory.of(Path(path)) if remembers else Memory()
    found = tuple(judged(project, start, style=style, memory=memory))
    memory.save()
    passed = len(project.migrations) - sum(one.part is Part.FORWARD for one in found)
    return Outcome(found, placed(project), version=start.version, sized=start.is_sized, passed_over=passed)


def _alone(path: str, start: Start, *, style: bool) -> Judged:
    """Return the judgement of one script of which nothing else is known, unless there is a snapshot."""
    if path == "-":
        path = "standard input"
        content = within_limit(path, sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    else:
        content = read_file(path, largest=MAX_JUDGED_FILE_BYTES)
    text = require_utf8(path, content)
    world = World(start.schema if start.is_sized else UNKNOWN, start.version)
    return Judged(path, Part.FORWARD, text, judge(text, world=world, style=style))


def main() -> None:
    """Run the command."""
    typer.run(check)


if __name__ == "__main__":
    main()
