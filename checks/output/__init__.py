"""How a report is written for people and for programs."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from enum import StrEnum
from importlib import import_module
from typing import ClassVar

from checks.errors import CheckError
from checks.output.judged import Judged, Outcome, Placed

__all__ = ["Format", "Judged", "Outcome", "OutputFailed", "Placed", "as_written", "write_refusal"]


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"


class OutputFailed(CheckError):
    """The report could not be written to its end."""

    code: ClassVar[str] = "output-failed"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"The report could not be written: {problem}. What is there of it is not the whole and proves nothing "
            "about the database. Make room or open the way for it, and run the command again."
        )


def as_written(outcome: Outcome, output: Format) -> str:
    """Return the whole report in a format, each of which has a module of its name."""
    # Only the one that is asked for: what writes for a terminal takes as long to import as all the others.
    module = import_module("checks.output.data" if output is Format.JSON else f"checks.output.{output}")
    text: str = getattr(module, f"as_{output}")(outcome)
    return text


def write_refusal(error: CheckError, output: Format) -> None:
    """Write why nothing was judged. If even that cannot be written, the exit status says it alone."""
    with suppress(OSError):
        if output is Format.JSON:
            sys.stdout.write(json.dumps({"error": {"code": error.code, "message": str(error)}}) + "\n")
            sys.stdout.flush()
        else:
            _print(f"{error.code}: {error}")


def _print(text: str) -> None:
    from rich.console import Console  # noqa: PLC0415 - a call that succeeds prints nothing there
    from rich.text import Text  # noqa: PLC0415

    from checks.output.printable import printable  # noqa: PLC0415

    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(printable(text)))
