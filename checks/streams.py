"""Standard output as it is: every character gets through, and what cannot be written is known."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def put(report: str | memoryview) -> None:
    """Write a report to standard output, all of it; bytes as they are. Raises OSError; then no more can be written."""
    _let_every_character_through()
    try:
        if isinstance(report, str):
            sys.stdout.write(report)
        else:
            sys.stdout.buffer.write(report)
        sys.stdout.flush()
    except OSError:
        _write_no_more()
        raise


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
