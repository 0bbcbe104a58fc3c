"""The `migration-check` command: judge a folder of migrations, one file, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from checks.errors import CheckError
from checks.files import MAX_FILE_BYTES, is_folder, read_file, within_limit
from checks.finding import Severity
from checks.layouts import detect, named, read_files
from checks.layouts.errors import require_utf8
from checks.output import Format, Judged, OutputFailed, write, write_refusal
from checks.report import Part, judge
from checks.risk import Risk

CLEAN, FOUND, NOT_ANALYSED = 0, 1, 2


def check(
    path: Annotated[str, typer.Argument(help="A folder of migrations, one .sql file, or - for standard input.")],
    layout: Annotated[str, typer.Option(help="How the folder is laid out; auto finds out.")] = "auto",
    output: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.TEXT,
    fail_on: Annotated[Risk, typer.Option(help="The lowest class that makes the command fail.")] = Risk.HIGH,
) -> None:
    """Judge migrations before they reach a database.

    Ends with 0 when no forward script is of the class given with --fail-on or higher and no script has a blocking
    finding, with 1 when one is or has, and with 2 when something could not be analysed or the report not be written.
    """
    try:
        judged = [Judged(name, part, text, judge(text, part=part)) for name, part, text in _scripts(path, layout)]
        write(judged, output)
    except OutputFailed as error:
        write_refusal(error, Format.TEXT)
        raise typer.Exit(NOT_ANALYSED) from None
    except CheckError as error:
        write_refusal(error, output)
        raise typer.Exit(NOT_ANALYSED) from None
    raise typer.Exit(exit_code(judged, fail_on=fail_on))


def exit_code(judged: list[Judged], *, fail_on: Risk) -> int:
    """Return 2 if any script could not be analysed, 1 if one reaches `fail_on` or has a blocking finding, else 0.

    The class of a rollback does not count: the way back of the safest change, a new table, drops a table.
    """
    if not all(item.report.is_analysed for item in judged):
        return NOT_ANALYSED
    found = any(
        (item.part is Part.FORWARD and item.report.classified.risk >= fail_on)
        or any(finding.severity is Severity.BLOCKING for finding in item.report.findings)
        for item in judged
    )
    return FOUND if found else CLEAN


def _scripts(path: str, layout: str) -> Iterator[tuple[str, Part, str]]:
    """Yield the name, part and text of every script, in the order of the migrations. Raises a CheckError."""
    if path == "-":
        name = "standard input"
        yield name, Part.FORWARD, require_utf8(name, within_limit(name, sys.stdin.buffer.read(MAX_FILE_BYTES + 1)))
    elif is_folder(path):
        chosen = detect(Path(path)) if layout == "auto" else named(layout)
        for migration in chosen.read(read_files(Path(path), chosen)):
            for part in Part:
                content = getattr(migration, part)
                if content is not None:
                    yield migration.paths[part], part, require_utf8(migration.paths[part], content)
    else:
        yield path, Part.FORWARD, require_utf8(path, read_file(path))


def main() -> None:
    """Run the command."""
    typer.run(check)


if __name__ == "__main__":
    main()
