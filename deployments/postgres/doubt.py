"""What a target shows of a job that nobody is sure about: its records, the catalogue, and what still works there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from checks.outside import Next, Past, verdict
from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import is_done, past_of
from deployments.postgres.connect import NAME_PREFIX, Holder, Session, Target
from deployments.postgres.history import LayoutHistory
from deployments.postgres.privileges import become_owner
from deployments.postgres.script import Script, Sent

HISTORY = """
SELECT migration, direction, fence, at, transaction::text FROM locktender.history WHERE job = %s ORDER BY id
"""
STATEMENTS = """
SELECT migration, direction, position, state, sql, fence, at FROM locktender.statement
WHERE job = %s ORDER BY at, position
"""
# By name, so also those of roles whose queries this one may not see.
SESSIONS = f"""
SELECT pid, application_name, coalesce(state, ''), backend_start FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND application_name ~ '^{NAME_PREFIX}job=[0-9]+/fence=[0-9]+$'
  AND substring(application_name FROM 'job=([0-9]+)') = %s::text
ORDER BY backend_start
"""

SHOWN: dict[Next, tuple[bool, str]] = {
    Next.DONE: (True, "was sent, and the catalogue shows that it is done."),
    Next.SEND: (False, "was sent, and the catalogue shows that it is not done."),
    Next.CLEAR: (False, "was sent, and what it left is not finished: that is taken away before it is sent again."),
}
"""What follows from the catalogue for a statement that was sent."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What the target says about the first migration of the plan that is not in its history.

    `is_applied` is None where the target itself cannot tell. `statement` is the one in doubt, of a file whose
    statements run alone; None of a file that is one transaction. Without a migration all of them are in the history.
    """

    migration: str | None
    statement: int | None
    is_applied: bool | None
    why: str

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored."""
        return {
            "migration": self.migration,
            "statement": self.statement,
            "is_applied": self.is_applied,
            "why": self.why,
        }


def left_by(
    opened: Session,
    target: Target,
    *,
    holder: Holder,
    history: LayoutHistory,
    scripts: Sequence[Script],
    transaction: str = "",
) -> dict[str, Any]:
    """Return what is in a target of a job, and what follows from it. Nothing is changed.

    `transaction` is the last one that the executor had told of, as text; "" if it told of none. Raises what reading the
    layout's history raises, and the driver's errors.
    """
    entries = opened.execute(HISTORY, [holder.job]).fetchall()
    sessions = [
        {"pid": pid, "name": name, "state": state, "since": since.isoformat()}
        for pid, name, state, since in opened.execute(SESSIONS, [str(holder.job)]).fetchall()
    ]
    statements = [
        {"migration": one[0], "direction": one[1], "position": one[2], "state": one[3], "sql": one[4], "fence": one[5],
         "at": one[6].isoformat()}
        for one in opened.execute(STATEMENTS, [holder.job]).fetchall()
    ]  # fmt: skip
    done = {(entry[0], entry[1]) for entry in entries}
    open_one = next((one for one in scripts if (one.entry.migration, one.entry.direction) not in done), None)
    doubt = judged(opened, target, open_one, holder=holder, is_worked_on=bool(sessions))
    layout = history.is_applied(opened, target, open_one.entry.migration) if open_one else None
    return {
        "history": [
            {"migration": one[0], "direction": one[1], "fence": one[2], "at": one[3].isoformat(), "transaction": one[4]}
            for one in entries
        ],
        "statements": statements,
        "sessions": sessions,
        "fence": (opened.execute("SELECT fence FROM locktender.fence").fetchone() or (None,))[0],
        "layout": layout,
        "transaction": {"id": transaction, "says": status_of(opened, transaction)} if transaction else None,
        "doubt": doubt.as_evidence(),
    }


def status_of(opened: Session, transaction: str) -> str:
    """Return what `pg_xact_status` says of a transaction: evidence for a person, and never what decides.

    After a crash of the server the number may be given out again, and the answer is then about another transaction
    (E15 of the reliability study).
    """
    try:
        with opened.transaction():
            row = opened.execute("SELECT pg_xact_status(%s::xid8)", [transaction]).fetchone()
    except psycopg.errors.InvalidParameterValue:  # 22023
        return "never given out, as far as this server remembers"
    return (row[0] if row else None) or "too long ago to be known"


@dataclass(frozen=True, slots=True)
class _Onlooker:
    holder: Holder


def judged(
    opened: Session, target: Target, script: Script | None, *, holder: Holder, is_worked_on: bool = False
) -> Doubt:
    """Return what follows for the first script that the history does not show. Leaves the session in no role."""
    if script is None:
        why = "Every migration of the plan is in the history of the target."
        return Doubt(migration=None, statement=None, is_applied=True, why=why)
    doubt = partial(Doubt, migration=script.entry.migration)
    if is_worked_on:
        why = "A session of an executor of this run is still there: what it does may yet be committed."
        return doubt(statement=None, is_applied=None, why=why)
    if script.transactional:
        why = "It is one transaction with its history row. The row is not there, and nobody works on it: not applied."
        return doubt(statement=None, is_applied=False, why=why)
    settings: list[Sent] = []
    for sent in script.sent:
        if sent.is_setting:
            settings.append(sent)
            continue
        is_applied, why = _statement(opened, target, script, sent, holder=holder, settings=settings)
        if why:
            return doubt(statement=sent.number, is_applied=is_applied, why=f"Statement {sent.number} {why}")
    return doubt(
        statement=None,
        is_applied=True,
        why="Every statement of it is recorded as done. Only its history row is missing.",
    )


def _statement(
    opened: Session, target: Target, script: Script, sent: Sent, *, holder: Holder, settings: Sequence[Sent]
) -> tuple[bool | None, str]:
    """Return whether a statement that is not recorded as done is applied, and why; no reason for one that is."""
    onlooker = _Onlooker(holder)
    if is_done(opened, script, sent, onlooker):
        return True, ""
    past = past_of(opened, script, sent, onlooker)
    if sent.batch is not None:
        return False, "is batched: its own rows say how far it is, and it goes on there."
    if sent.aim is None:
        return _inside(past)
    if not past.was_attempted:
        return False, "was never sent."
    with opened.transaction(force_rollback=True):  # undoes role and settings
        become_owner(opened, target)
        for setting in settings:
            opened.execute(setting.text.encode())
        told = verdict(sent.aim, look(opened, sent.aim), past)
    if told.next is Next.DOUBT:
        return None, f"was sent, and the target cannot tell: {told.why}."
    return SHOWN[told.next]


def _inside(past: Past) -> tuple[bool | None, str]:
    """Return as `_statement` does of one that has a transaction of its own, with the row that says so."""
    if past.was_done:
        return True, ""
    if past.was_attempted:
        return None, f"was sent, and the target cannot tell: {past.why}."
    return False, "is a transaction of its own with the row that says so. The row is not there: not applied."
