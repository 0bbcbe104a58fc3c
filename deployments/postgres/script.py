"""A migration script as it is sent: statements in the author's order, and the limits they run under."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate

from checks.batch import Batch
from checks.batching.declared import with_batches
from checks.changes import Verb
from checks.outside.aims import Aim, Detached, needs_no_lock_timeout
from checks.statements import parse
from checks.transactions import aim_in, gives_meaning, is_one_transaction, is_setting, sendable
from deployments.postgres.ledger import Entry
from deployments.postgres.settings import LEAST_LONG


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement: its text byte for byte, where it stands, and what must be true after it if it runs alone.

    `aim` is None for one that runs in a transaction. Where `batch` is set, what is sent is the batch's own text, for a
    range of keys at a time. A setting is made in the sessions of what follows. One without a lock_timeout works beside
    the application, and would be left half done by it. `context` are the settings before it that give names and values
    their meaning, as text.
    """

    number: int  # from 1
    text: str
    line: int
    aim: Aim | None = None
    batch: Batch | None = None
    is_setting: bool = False
    has_no_lock_timeout: bool = False
    is_validation: bool = False  # of a constraint: it reads a whole table beside the application
    context: str = ""

    @property
    def recorded(self) -> str:
        """What the target's records call the statement: after other settings the same text is another statement."""
        return self.context + self.text


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

    def places_of(self, sent: Sent) -> tuple[int, tuple[int, ...]]:
        """Return the place of a statement among those that are no settings, and of all that are recorded like it."""
        acting = [one for one in self.sent if not one.is_setting]
        like = tuple(place for place, one in enumerate(acting, start=1) if one.recorded == sent.recorded)
        return next(place for place in like if acting[place - 1].number == sent.number), like

    @property
    def when_stopped(self) -> str:
        """What is in the database if it is stopped in the middle, as a sentence."""
        if self.transactional:
            return "This migration was rolled back."
        if any(one.batch for one in self.sent):
            return "What was committed before stays in force, and another run goes on after the last batch."
        if any(isinstance(one.aim, Detached) for one in self.sent):
            return "What it did before stays in force; a detach that was begun is finished by the next attempt."
        return "What it did before stays in force; an unfinished index is dropped, at the latest by the next attempt."


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a file may wait for locks, once and in all its tries, and how long one statement may take."""

    lock_timeout: timedelta
    lock_retry_limit: timedelta
    statement_timeout: timedelta = timedelta(minutes=30)

    @property
    def longest(self) -> timedelta:
        """What the server allows any one statement."""
        return max(self.statement_timeout, LEAST_LONG)


def prepare(text: str, *, migration: str, direction: str, checksum: str, script_sha256: str) -> Script:
    """Return a script split by PostgreSQL's own grammar. Raises checks.errors.Unparsable."""
    script = with_batches(parse(text))
    transactional = is_one_transaction(script)
    statements = sendable(script)
    if statements is None:
        statements = script.statements  # which no plan lets through
    contexts = accumulate((f"{one.sql};\n" if gives_meaning(one) else "" for one in statements), initial="")
    return Script(
        entry=Entry(
            migration=migration,
            direction=direction,
            checksum=checksum,
            script_sha256=script_sha256,
            statements=len(statements),
        ),
        sent=tuple(
            Sent(
                number=place,
                text=one.sql,
                line=one.line,
                aim=aim_in(script, one),
                batch=one.batch,
                is_setting=is_setting(one),
                has_no_lock_timeout=needs_no_lock_timeout(one.tree),
                is_validation=any(change.verb is Verb.VALIDATE_CONSTRAINT for change in one.changes),
                context=context,
            )
            for place, (one, context) in enumerate(zip(statements, contexts, strict=False), start=1)
        ),
        transactional=transactional,
    )
