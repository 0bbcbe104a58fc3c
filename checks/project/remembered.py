"""What is written of a report, as plain values: they can be kept in a file, and nothing has to be parsed for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from checks.finding import Finding
from checks.risk import Classified, Risk


@dataclass(frozen=True, slots=True)
class LockRow:
    """One lock that somebody can notice, in words. `cost` says how long it lasts, as far as that is known.

    `index` is that of the statement in its script, `line` where it begins. It `lasts` when it is kept for longer than a
    moment, or nobody can say for how long.
    """

    index: int
    line: int
    statement: str
    relation: str
    mode: str
    blocks: str
    work: str
    cost: str
    because: str
    lasts: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What is written of a report: all but the schemas that its statements met."""

    findings: tuple[Finding, ...]
    classified: Classified
    statement_count: int
    rows: tuple[LockRow, ...]
    quiet: tuple[LockRow, ...]
    unknown: tuple[tuple[int, str], ...]


class Remembered:
    """A report as it was told before. How it ended is known at once; the rest is read when somebody asks for it."""

    __slots__ = ("_read", "_told", "is_analysed", "is_blocking", "risk")

    def __init__(self, risk: Risk, read: Callable[[], Told], *, is_analysed: bool, is_blocking: bool) -> None:
        """Keep what reads the rest. It may raise Misshapen."""
        self.risk, self.is_analysed, self.is_blocking = risk, is_analysed, is_blocking
        self._read = read
        self._told: Told | None = None

    @property
    def told(self) -> Told:
        """Everything that was told."""
        if self._told is None:
            self._told = self._read()
        return self._told

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, in the order of the text."""
        return self.told.findings

    @property
    def classified(self) -> Classified:
        """The class and why."""
        return self.told.classified

    @property
    def statements(self) -> range:
        """As many as there were statements."""
        return range(self.told.statement_count)

    @property
    def rows(self) -> tuple[LockRow, ...]:
        """The locks that stop reads or writes."""
        return self.told.rows

    @property
    def quiet(self) -> tuple[LockRow, ...]:
        """The locks that stop neither."""
        return self.told.quiet

    @property
    def unknown(self) -> tuple[tuple[int, str], ...]:
        """What could not be analysed, each with its line."""
        return self.told.unknown
