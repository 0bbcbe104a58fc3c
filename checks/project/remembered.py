"""What is written of a report, as plain values: they can be kept in a file, and nothing has to be parsed for them."""

from __future__ import annotations

from dataclasses import dataclass

from checks.finding import Finding
from checks.risk import Classified


@dataclass(frozen=True, slots=True)
class LockRow:
    """One lock that somebody can notice, in words. `cost` says how long it lasts, as far as that is known.

    `index` is that of the statement in its script, `line` where it begins.
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


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is written of a report: all but the schemas that its statements met."""

    findings: tuple[Finding, ...]
    classified: Classified
    is_analysed: bool
    statement_count: int
    rows: tuple[LockRow, ...]
    unknown: tuple[tuple[int, str], ...]

    @property
    def statements(self) -> range:
        """As many as there were statements."""
        return range(self.statement_count)
