"""A migration script as it is sent: statements in the author's order, and the limits they run under."""

from dataclasses import dataclass
from datetime import timedelta

from checks.concurrent_index import ConcurrentIndex
from checks.statements import parse
from deployments.postgres.ledger import Entry


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement: its text byte for byte, where it stands, and what must be true after it if it runs alone."""

    number: int  # from 1
    text: str
    line: int
    concurrent_index: ConcurrentIndex | None


@dataclass(frozen=True, slots=True)
class Script:
    """One direction of a migration, ready to run."""

    entry: Entry
    sent: tuple[Sent, ...]
    transactional: bool

    @property
    def name(self) -> str:
        """The migration's name, with the direction when it is not forward."""
        return self.entry.migration if self.entry.direction == "forward" else f"{self.entry.migration} (rollback)"

    @property
    def when_stopped(self) -> str:
        """What is in the database if it is stopped in the middle, as a sentence."""
        if self.transactional:
            return "This migration was rolled back."
        return "What it did before stays in force; an unfinished index is dropped, at the latest by the next attempt."


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a file may wait for locks, once and in all its tries, and how long one statement may take."""

    lock_timeout: timedelta
    lock_retry_limit: timedelta
    statement_timeout: timedelta = timedelta(minutes=30)


def prepare(text: str, *, migration: str, direction: str, checksum: str, script_sha256: str) -> Script:
    """Return a script split by PostgreSQL's own grammar. Raises checks.errors.Unparsable."""
    statements = parse(text).statements
    return Script(
        entry=Entry(
            migration=migration,
            direction=direction,
            checksum=checksum,
            script_sha256=script_sha256,
            statements=len(statements),
        ),
        sent=tuple(
            Sent(number=place, text=one.sql, line=one.line, concurrent_index=one.concurrent_index)
            for place, one in enumerate(statements, start=1)
        ),
        transactional=not any(one.outside_transaction for one in statements),
    )
