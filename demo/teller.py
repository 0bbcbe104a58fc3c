"""What `make demo` says: chapters, what is under way, and sentences that are checked before they are said."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class StoryBroken(AssertionError):
    """A sentence of the story is not true."""


class Teller:
    """Tells the story. Every sentence of it was checked, or ends it."""

    def __init__(self) -> None:
        """Begin with no sentence told."""
        self.console = Console(highlight=False, soft_wrap=True)
        self.told = 0

    def chapter(self, title: str) -> None:
        """Begin something new."""
        self.console.print(f"\n[bold]{title}[/]")

    def note(self, text: str) -> None:
        """Say what needs no check."""
        self.console.print(f"  {text}", style="dim", markup=False)

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Show that something is under way; in a terminal with a sign that moves."""
        if not self.console.is_terminal:
            self.note(f"{text} …")
            yield
            return
        with self.console.status(f"  {text} …"):
            yield

    def holds(self, sentence: str, *, truth: bool, seen: object = "") -> None:
        """Say a sentence that is true. Raises StoryBroken, with what was seen instead, if it is not."""
        if not truth:
            self.console.print(f"  [red]✗[/] {sentence}")
            raise StoryBroken(f"{sentence} This is not so. Seen: {seen}")
        self.told += 1
        self.console.print(f"  [green]✓[/] {sentence}")
