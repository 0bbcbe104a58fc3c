"""Asking a target the queries of a verify or smoke script: only reading, in one snapshot, each within a limit."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import psycopg

from checks.integrity.questions import Check, Form
from checks.integrity.verdicts import Answer, Refusal
from deployments.postgres.connect import Holder, Session, Target, session
from deployments.postgres.privileges import become_owner
from deployments.postgres.transactional import is_lost

CHECK_LIMIT = timedelta(seconds=60)
LOCK_LIMIT = timedelta(seconds=10)
LONGEST_VALUE = 1000  # characters of a single value that are fetched, at least

# A query that would be shown only part of the rows is refused, instead of finding nothing wrong in them. Backslashes
# mean what they mean to the parser that split the script.
SETTINGS = """
SELECT set_config('row_security', 'off', false), set_config('standard_conforming_strings', 'on', false),
    set_config('idle_in_transaction_session_timeout', '5min', false),
    set_config('client_connection_check_interval', '1s', false)
"""
LIMITS = "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"

# Each query in brackets of its own, closed on a line of their own because it may end with a comment.
COUNT = "SELECT count(*) FROM (\n{query}\n) AS locktender_check"
COLUMNS = "SELECT * FROM (\n{query}\n) AS locktender_check LIMIT 0"
VALUE = """SELECT count(*), left(min(locktender_value::text COLLATE "C"), {longest}) FROM (
{query}
) AS locktender_check (locktender_value)"""
FINGERPRINT = """SELECT count(*), coalesce(sum(hashtextextended(locktender_check::text, 0)), 0)::text FROM (
{query}
) AS locktender_check"""

CHANGED_NOTHING = "25006"  # read_only_sql_transaction
TOLD_WHOLE = {"42", "3F", "0A", CHANGED_NOTHING[:2]}  # classes whose messages are about names, not about values

Result = TypeVar("Result")


@contextmanager
def reading(target: Target, holder: Holder) -> Iterator[Session]:
    """Open a session in the holder's name whose one transaction only reads, as the owner of the objects.

    It is closed after the block. Every question sees the same snapshot. Raises what `open_session` raises.
    """
    with session(target, name=holder.session_name) as opened:
        opened.execute(SETTINGS)
        become_owner(opened, target)
        with opened.transaction(force_rollback=True):
            opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield opened


def ask(
    opened: Session, question: Callable[[], Result], *, limit: timedelta, lock_limit: timedelta = LOCK_LIMIT
) -> Result | Refusal:
    """Return what a question gives, or what the server said instead. It leaves no lock and no setting behind.

    Raises the driver's error if the connection is lost.
    """
    lock_limit = min(limit, lock_limit)
    try:
        with opened.transaction(force_rollback=True):
            opened.execute(LIMITS, [_milliseconds(lock_limit), _milliseconds(limit)])
            return question()
    except psycopg.Error as refused:
        if is_lost(opened, refused):
            raise
        return _refusal(refused, limit, lock_limit)


def answer(opened: Session, check: Check, *, limit: timedelta = CHECK_LIMIT) -> Answer | Refusal:
    """Return what a check's query gives, as far as its expectation asks. Called inside `reading`."""
    return ask(opened, lambda: _answer(opened, check), limit=limit)


def _answer(opened: Session, check: Check) -> Answer:
    if check.form is Form.NO_ROWS:
        return Answer(rows=_row(opened, COUNT, check)[0])
    if check.form is Form.UNCHANGED:
        rows, fingerprint = _row(opened, FINGERPRINT, check)
        return Answer(rows=rows, fingerprint=fingerprint)
    columns = len(opened.execute(COLUMNS.format(query=check.sql).encode()).description or ())
    if columns != 1:
        return Answer(rows=_row(opened, COUNT, check)[0], columns=columns)
    rows, value = _row(opened, VALUE, check, longest=max(LONGEST_VALUE, len(check.value or "") + 1))
    return Answer(rows=rows, value=value)


def _row(opened: Session, wrapped: str, check: Check, **values: int) -> tuple[Any, ...]:
    # As bytes, and without values of the driver's: a % in the query is the author's.
    row = opened.execute(wrapped.format(query=check.sql, **values).encode()).fetchone()
    assert row is not None  # noqa: S101 # an aggregate returns one row
    return row


def _refusal(refused: psycopg.Error, limit: timedelta, lock_limit: timedelta) -> Refusal:
    """Return the server's refusal. Messages that may quote a value of a row are replaced by their kind."""
    state = refused.sqlstate or "unknown"
    if isinstance(refused, psycopg.errors.QueryCanceled):
        return Refusal(state, f"It was cut off: it may take {limit.total_seconds():g} s.")
    if isinstance(refused, psycopg.errors.LockNotAvailable):
        return Refusal(state, f"Another session held a lock on it for more than {lock_limit.total_seconds():g} s.")
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(refused).__name__).lower()
    said = refused.diag.message_primary if state[:2] in TOLD_WHOLE else None
    manner = "It does more than read" if state == CHANGED_NOTHING else "The server refused it"
    return Refusal(state, f"{manner}: {said or kind} (SQLSTATE {state}).")


def _milliseconds(limit: timedelta) -> str:
    return str(max(1, int(limit.total_seconds() * 1000)))
