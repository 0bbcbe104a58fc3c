"""Lines for a terminal: with styles where it shows them, and without any work for them where it does not."""

from __future__ import annotations

from textwrap import wrap

from rich.console import Console
from rich.text import Text

_NARROWEST = 20  # columns that are left for a text, however deep it stands


class Page:
    """What is printed on it, line after line. It is kept, and not printed by the console.

    The console would end the process its own way when nobody reads.
    """

    def __init__(self) -> None:
        """Begin an empty page for standard output as it is."""
        self._console = Console(highlight=False, soft_wrap=True)
        # A file or a pipe: thousands of lines are written ten times as fast without asking the console about each.
        self._is_plain = self._console.color_system is None and not self._console.is_terminal
        self._lines: list[str] = []

    @property
    def width(self) -> int | None:
        """The columns of a terminal. None for a file or a pipe: there a line is as long as it is."""
        return None if self._is_plain else self._console.width

    def folded(self, text: str, *, indent: int, taken: int = 0) -> list[str]:
        """Return a text as lines that fit, without the indent that they get; names and addresses are never cut.

        `taken` are columns of the first line that something before the text has taken.
        """
        if self.width is None:
            return [text]
        room = max(_NARROWEST, self.width - indent)
        lines = wrap("x" * taken + text, room, break_long_words=False, break_on_hyphens=False)
        return [lines[0][taken:], *lines[1:]] if lines else [""]

    def print(self, text: Text | str = "", end: str = "\n") -> None:
        """Add a line, or a part of one that does not end with `end`."""
        if self._is_plain:
            self._lines.append(f"{text}{end}")
            return
        with self._console.capture() as written:
            self._console.print(text, end=end)
        self._lines.append(written.get())

    def __str__(self) -> str:
        return "".join(self._lines)
