"""What the answers to the queries of a verify or smoke script mean: judging, not asking."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from checks.changes import Verb
from checks.integrity.questions import Check, Form
from checks.statements import changes_of

_CUT = 100  # characters of a value that are shown

# undefined_table, _column, _function, _object, and invalid_schema_name: what is asked for is not there.
_MISSING = frozenset({"42P01", "42703", "42883", "42704", "3F000"})

_RENAMES = frozenset(
    {Verb.RENAME_TABLE, Verb.RENAME_COLUMN, Verb.RENAME_OBJECT, Verb.MOVE, Verb.RESTRUCTURE, Verb.COLUMN_TYPE,
     Verb.ALTER_OBJECT, Verb.PROCEDURE, Verb.UNKNOWN, Verb.REPLACE_FUNCTION}
)  # fmt: skip
_MAKES = _RENAMES | {
    Verb.CREATE_TABLE, Verb.CREATE_PARTITION, Verb.CREATE_VIEW, Verb.CREATE_OBJECT, Verb.ADD_COLUMN,
    Verb.ADD_COLUMN_HARD, Verb.DEFINER_FUNCTION, Verb.UNTRUSTED_FUNCTION,
}  # fmt: skip
_REMOVES = _RENAMES | {
    Verb.DROP_TABLE, Verb.DROP_COLUMN, Verb.DROP_OBJECT, Verb.DROP_SCHEMA, Verb.DROP_CASCADE,
}  # fmt: skip


class Verdict(StrEnum):
    """What came of one thing that was looked at. `noted` decides nothing: it is shown, or compared later."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_MEASURED = "not measured"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and why in one sentence."""

    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave. Which of the values are filled in depends on what is expected of it.

    `value` is the single value of the single row as text, None for NULL; `fingerprint` does not depend on the order.
    """

    rows: int
    columns: int = 1
    value: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server said instead of an answer: SQLSTATE, and a sentence that shows no row's values."""

    sqlstate: str
    message: str

    @property
    def is_missing_object(self) -> bool:
        """True when a table, column, function or type that the query names is not there."""
        return self.sqlstate in _MISSING


def makes_names(script: str) -> bool:
    """Return whether a script may make a table, column or function that was not there. Raises Unparsable."""
    return any(change.verb in _MAKES for change in changes_of(script))


def removes_names(script: str) -> bool:
    """Return whether a script may take away a table, column or function. Raises Unparsable."""
    return any(change.verb in _REMOVES for change in changes_of(script))


def judge_before(answer: Answer | Refusal, *, is_made_earlier: bool, is_way_back: bool = False) -> Judged:
    """Return what the first answer to an `unchanged` query means.

    `is_made_earlier`: a script that runs before the one of its own migration may make what it reads. `is_way_back`: a
    rollback is not held up by a question.
    """
    if isinstance(answer, Answer):
        return Judged(Verdict.NOTED, f"{rows_in_words(answer.rows)}, to be compared afterwards.")
    if answer.is_missing_object and is_made_earlier:
        why = "It may need what an earlier script of this plan makes; if not, it names something wrongly."
        return Judged(Verdict.NOT_MEASURED, f"{answer.message} {why}")
    if is_way_back:
        return Judged(Verdict.NOT_MEASURED, f"{answer.message} The way back is not held up by it.")
    return Judged(Verdict.FAILED, answer.message)


def judge_after(
    check: Check,
    answer: Answer | Refusal,
    *,
    before: Answer | None = None,
    original: Answer | None = None,
    is_removed_later: bool = False,
    was_refused: bool = False,
) -> Judged:
    """Return what an answer means once everything has run.

    `before` is the first answer to an `unchanged` query; `original`, in a rollback, the one from before the deployment
    that is rolled back. `is_removed_later`: a script that ran after the one of its own migration may have taken away
    what it reads. `was_refused`: in a rollback, it could not be asked before either, so it says nothing about it.
    """
    if isinstance(answer, Refusal):
        return _judge_refused(answer, is_removed_later=is_removed_later, was_refused=was_refused)
    match check.form:
        case Form.NO_ROWS:
            if answer.rows == 0:
                return Judged(Verdict.PASSED, "No rows.")
            return Judged(Verdict.FAILED, f"{rows_in_words(answer.rows)}; none were expected.")
        case Form.UNCHANGED:
            return _judge_unchanged(before, answer, original)
        case Form.VALUE:
            return _judge_value(check, answer)


def _judge_refused(answer: Refusal, *, is_removed_later: bool, was_refused: bool) -> Judged:
    if answer.is_missing_object and is_removed_later:
        why = "A later script of this plan may have removed that; if not, it names something wrongly."
        return Judged(Verdict.NOT_MEASURED, f"{answer.message} {why}")
    if was_refused:
        return Judged(Verdict.NOT_MEASURED, f"{answer.message} It could not be asked before either.")
    return Judged(Verdict.FAILED, answer.message)


def _judge_unchanged(before: Answer | None, after: Answer, original: Answer | None) -> Judged:
    rows = rows_in_words(after.rows)
    if after == before:
        return Judged(Verdict.PASSED, f"{rows}, unchanged.")
    if after == original:
        return Judged(Verdict.PASSED, f"{rows}, again as before the deployment.")
    if before is None:
        return Judged(Verdict.NOT_MEASURED, f"{rows}; there is no answer from before to compare with.")
    if before.rows != after.rows:
        return Judged(Verdict.FAILED, f"{rows_in_words(before.rows)} before, {after.rows} after.")
    return Judged(Verdict.FAILED, f"{rows} before and after, but not with the same content.")


def _judge_value(check: Check, answer: Answer) -> Judged:
    expected = f"{_cut(check.expectation)} was expected"
    if answer.columns != 1 or answer.rows != 1:
        shape = f"{rows_in_words(answer.rows)} of {_in_words(answer.columns, 'column')}"
        return Judged(Verdict.FAILED, f"{shape}; one row with one value, {_cut(check.expectation)}, was expected.")
    found = "NULL" if answer.value is None else answer.value
    if answer.value == check.value:
        return Judged(Verdict.PASSED, f"{_cut(found)}, as expected.")
    return Judged(Verdict.FAILED, f"{_cut(found)}; {expected}.")


def rows_in_words(count: int) -> str:
    """Return "1 row", "2 rows"."""
    return _in_words(count, "row")


def _in_words(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else text[: _CUT - 1] + "…"
