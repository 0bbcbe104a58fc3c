"""Sending a script to a copy, as a run would send it to the target, with a trace of what each statement does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from checks.rehearsal.proof import Traced
from deployments.postgres.connect import Session, Target
from deployments.postgres.privileges import become_owner
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.trace import Trace, relations
from deployments.postgres.script import Limits, Script, Sent
from deployments.postgres.settings import hold_limits
from deployments.postgres.transactional import END, is_lost
from deployments.postgres.verify import TOLD_WHOLE

WHOLE = TOLD_WHOLE | {"2B", "25", "55"}  # dependent objects, transactions, objects in use: names, and no values
LOCK_TIMEOUT = timedelta(seconds=10)  # nobody else works in a copy


class Refused(Exception):
    """A statement that the server refused, in a sentence that shows no value of a row."""


@dataclass(slots=True)
class Sender:
    """Sends scripts to copies. `traced` grows with each statement of a script that is sent with `is_traced`."""

    databases: Databases
    target: Target  # whose owner role acts
    statement_timeout: timedelta
    traced: list[Traced] = field(default_factory=list)

    def send(self, database: str, script: Script, *, is_traced: bool = False) -> None:
        """Run a whole script in a copy. Raises Refused; then nothing of a transactional one is there."""
        for _ in self.walk(database, script, is_traced=is_traced):
            pass

    def walk(self, database: str, script: Script, *, is_traced: bool = False) -> Iterator[Sent]:
        """Run a script, and stop at each boundary where a run could end: after each statement outside a transaction.

        No session is open then. Yields the statement that is done, and for a transactional one only its last.
        """
        if script.transactional:
            with self.databases.session(database) as opened:
                self._together(opened, script, is_traced=is_traced)
            yield script.sent[-1] if script.sent else END
            return
        settings: list[Sent] = []
        for sent in script.sent:
            if sent.is_setting:
                settings.append(sent)
                continue
            with self.databases.session(database) as opened:
                self._alone(opened, database, script, sent, settings, is_traced=is_traced)
            yield sent

    def _together(self, opened: Session, script: Script, *, is_traced: bool) -> None:
        trace = self._trace(opened, is_traced=is_traced)
        opened.autocommit = False
        become_owner(opened, self.target)
        try:
            for sent in script.sent:
                self.databases.stop.require_may_start()
                hold_limits(opened, self._limits, is_validation=sent.is_validation)
                self._one(opened, script, sent, trace)
            self._execute(opened, script, END)
            opened.commit()
        except psycopg.Error as refused:  # what is checked at the commit
            raise _refused(opened, script, END, refused) from refused

    def _alone(
        self, opened: Session, database: str, script: Script, sent: Sent, settings: list[Sent], *, is_traced: bool
    ) -> None:
        self.databases.stop.require_may_start()
        trace = self._trace(opened, is_traced=is_traced)
        become_owner(opened, self.target)
        for setting in settings:
            self._execute(opened, script, setting)
        if sent.aim is None:
            with opened.transaction():
                self._one(opened, script, sent, trace)
                self._execute(opened, script, END)
        else:
            self._one(opened, script, sent, trace, at=database)

    def _one(self, opened: Session, script: Script, sent: Sent, trace: Trace | None, *, at: str = "") -> None:
        if trace is None:
            self._execute(opened, script, sent)
            return
        with trace.statement(script, sent, samples=self.databases if at else None, at=at) as rows:
            rows.count = self._execute(opened, script, sent)

    def _trace(self, opened: Session, *, is_traced: bool) -> Trace | None:
        if not is_traced:
            return None
        trace = Trace(opened, relations(opened), self.traced)
        trace.listen()
        return trace

    def _execute(self, opened: Session, script: Script, sent: Sent) -> int | None:
        try:
            done = opened.execute(sent.text.encode())
        except psycopg.Error as refused:
            self.databases.stop.require_may_start()  # a person's cancel says nothing about the script
            raise _refused(opened, script, sent, refused) from refused
        status = done.statusmessage or ""
        return done.rowcount if re.match(r"(INSERT|UPDATE|DELETE|MERGE) ", status) else None

    @property
    def _limits(self) -> Limits:
        return Limits(
            lock_timeout=LOCK_TIMEOUT, lock_retry_limit=LOCK_TIMEOUT, statement_timeout=self.statement_timeout
        )


def _refused(opened: Session, script: Script, sent: Sent, refused: psycopg.Error) -> Exception:
    """Return the refusal in words; a lost connection stays what it is, because it says nothing about the script."""
    if is_lost(opened, refused):
        return refused
    place = (
        f"statement {sent.number} of {script.name} (line {sent.line})" if sent.number else f"the end of {script.name}"
    )
    return Refused(f"{place} stops: {reason(refused)}")


def reason(refused: psycopg.Error) -> str:
    """Return why the server refused something, without values of rows."""
    state = refused.sqlstate or "unknown"
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(refused).__name__).lower()
    said = refused.diag.message_primary if state[:2] in WHOLE else None
    constraint = f" of {refused.diag.constraint_name}" if refused.diag.constraint_name and not said else ""
    return f"{said or kind + constraint} (SQLSTATE {state})"
