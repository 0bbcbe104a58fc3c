"""How a report is written for people and for programs."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import ClassVar

from rich.console import Console
from rich.text import Text

from checks.errors import CheckError
from checks.output.data import as_json
from checks.output.github import as_github
from checks.output.judged import Judged, Outcome, Placed
from checks.output.markdown import as_markdown
from checks.output.printable import printable
from checks.output.sarif import as_sarif
from checks.output.text import as_text

__all__ = ["Format", "Judged", "Outcome", "OutputFailed", "Placed", "write", "write_refusal"]


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"


_WRITERS: dict[Format, Callable[[Outcome], str]] = {
    Format.TEXT: as_text,
    Format.JSON: as_json,
    Format.SARIF: as_sarif,
    Format.GITHUB: as_github,
    Format.MARKDOWN: as_markdown,
}


class OutputFailed(CheckError):
    """The report could not be written to its end."""

    code: ClassVar[str] = "output-failed"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"The report could not be written: {problem}. What is there of it is not the whole and proves nothing "
            "about the database. Make room or open the way for it, and run the command again."
        )


def write(outcome: Outcome, output: Format) -> None:
    """Write the whole report to standard output. Raises OutputFailed."""
    _let_every_character_through()
    try:
        sys.stdout.write(_WRITERS[output](outcome))
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
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(printable(f"{error.code}: {error}")))


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
