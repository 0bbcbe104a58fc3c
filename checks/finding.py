"""The values of a judgement: what a rule is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checks.context import Context, Seen
    from checks.errors import Unparsable
    from checks.estimate import Estimate
    from checks.model import Schema
    from checks.risk import Classified, Risk
    from checks.statements import Statement


class Severity(StrEnum):
    """How much a finding matters: a note informs, a warning wants a decision, a blocking one must be resolved."""

    NOTE = "note"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule applies, before it becomes a finding.

    `offset` is in characters of the script; -1 points at the beginning of the statement. `severity` is its own where
    that depends on where the script runs, else that of the rule.
    """

    statement: Statement
    message: str
    rewrite: str = ""
    offset: int = -1
    severity: Severity | None = None


class Group(StrEnum):
    """What a rule is about; the catalogue is listed by it."""

    COLUMNS = "columns"
    CONSTRAINTS = "constraints"
    INDEXES = "indexes"
    TABLES = "tables"
    OBJECTS = "views, triggers, functions, types"
    DATA = "data"
    SCRIPT = "script and transaction"


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: its texts, one pure function, and an example of each kind.

    `bad` is found, `good` is not; both are SQL that a server runs after `given`, which makes the tables they name.
    `blocks` says what waits meanwhile, and `source` where the rule is from. `is_style` is a matter of taste: asked only
    on request.
    """

    code: str
    title: str
    severity: Severity
    why: str
    help: str
    judge: Callable[[Context], Iterable[Hit]]
    bad: str
    good: str
    group: Group = Group.SCRIPT
    blocks: str = ""
    source: str = ""
    given: str = ""
    is_style: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about a statement. `line` and `column` count characters of the script from 1.

    `rewrite` is safer SQL with the statement's own names, or "". `statement` is its index in the script, or -1 when
    the script could not be parsed. `waived` is the reason that a comment gives for ignoring it, or "".
    """

    code: str
    severity: Severity
    message: str
    help: str
    rewrite: str
    line: int
    column: int
    statement: int
    waived: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of one script in its world.

    `context` is the script with what each of its statements does, `estimates` what each of their locks means for those
    who use the relation, and `after` the schema that the script leaves behind. `unparsable` is set when the script
    could not be analysed; then nothing else is known.
    """

    context: Context | None
    findings: tuple[Finding, ...]
    classified: Classified
    after: Schema
    unparsable: Unparsable | None = None
    estimates: tuple[tuple[Estimate, ...], ...] = ()

    @property
    def seen(self) -> tuple[Seen, ...]:
        """Each statement with the schema it meets and what it does to it, in order."""
        return self.context.seen if self.context else ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements alone, in order."""
        return tuple(one.statement for one in self.seen)

    @property
    def is_analysed(self) -> bool:
        """True when every statement was understood by the parser."""
        return self.unparsable is None

    @property
    def is_blocking(self) -> bool:
        """True when a finding must be resolved."""
        return any(one.severity is Severity.BLOCKING for one in self.findings)

    @property
    def risk(self) -> Risk:
        """The class, without the reasons."""
        return self.classified.risk
