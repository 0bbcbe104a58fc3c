"""What there is to write: every script that was judged, and what was found about the files themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from checks.finding import Finding, Report
from checks.project.remembered import Remembered
from checks.report import Part
from checks.reviewing.review import Review
from checks.risk import Risk


class Shelf(Protocol):
    """Where a text about one script is kept for the next call, under everything that it depends on."""

    def taken(self, kind: str) -> str | None:
        """Return a text of this kind that was put here before."""
        ...

    def put(self, kind: str, text: str) -> None:
        """Keep a text of this kind."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """One script with its place, as a path that can be opened from here, and its report.

    `review` is that of the migration, with its forward script where one was asked for. On the `shelf` may lie what was
    written of it before.
    """

    path: str
    part: Part
    text: str
    report: Report | Remembered
    migration: str = ""
    review: Review | None = None
    shelf: Shelf | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding about a file as a whole: its name, its order, or what it was before."""

    path: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was judged. `version` is the major version of the server that was assumed or known.

    `sized` says that the sizes of tables are known, from a snapshot. `passed_over` counts migrations that were there
    at the base, or are applied already, and were read but not judged.
    """

    judged: tuple[Judged, ...]
    placed: tuple[Placed, ...] = ()
    version: int = 0
    sized: bool = False
    passed_over: int = 0

    @property
    def risk(self) -> Risk:
        """The highest class of a forward script; safe when there is none. The way back does not count.

        The way back of the safest change, a new table, drops a table.
        """
        forward = [one.report.risk for one in self.judged if one.part is Part.FORWARD]
        return max(forward, default=Risk.SAFE)

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """Yield every finding with the path of its file, those about files first."""
        yield from ((one.path, one.finding) for one in self.placed)
        yield from ((one.path, finding) for one in self.judged for finding in one.report.findings)
