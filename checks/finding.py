"""The values of a judgement: what a rule is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checks.errors import Unparsable
    from checks.risk import Classified
    from checks.statements import Script, Statement


class Severity(StrEnum):
    """How much a finding matters: a note informs, a warning wants a decision, a blocking one must be resolved."""

    NOTE = "note"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule applies, before it becomes a finding.

    `offset` is in characters of the script; -1 points at the beginning of the statement.
    """

    statement: Statement
    message: str
    rewrite: str = ""
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: its texts, one pure function, and an example of each kind. `bad` is found, `good` is not."""

    code: str
    title: str
    severity: Severity
    why: str
    help: str
    judge: Callable[[Script], Iterable[Hit]]
    bad: str
    good: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about a statement. `line` and `column` count characters of the script from 1.

    `rewrite` is safer SQL with the statement's own names, or "". `statement` is its index in the script, or -1 when
    the script could not be parsed.
    """

    code: str
    severity: Severity
    message: str
    help: str
    rewrite: str
    line: int
    column: int
    statement: int


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of one script. `unparsable` is set when it could not be analysed; then nothing else is known."""

    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    classified: Classified
    unparsable: Unparsable | None = None

    @property
    def is_analysed(self) -> bool:
        """True when every statement was understood by the parser."""
        return self.unparsable is None
