"""How text that others wrote is shown: nothing a script or a path holds can control a terminal or a page."""

from __future__ import annotations

import re

_TICKS = re.compile(r"`+")


def printable(text: str) -> str:
    r"""Return a text with every control character as an escape such as \x1b; a line break too."""
    if text.isprintable():
        return text  # nearly all are, and one look at the whole is much quicker
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> list[str]:
    """Return the lines of a text, each as `printable` gives it."""
    return [printable(line) for line in text.split("\n")]


def as_code(text: str) -> str:
    """Return one line as inline code of Markdown, whatever back quotes it holds."""
    shown = printable(text)
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    gap = " " if len(fence) > 1 else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def as_block(text: str, language: str = "sql") -> str:
    """Return lines as a code block of Markdown, whatever back quotes they hold."""
    shown = "\n".join(printable_lines(text))
    fence = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    return f"{fence}{language}\n{shown}\n{fence}"
