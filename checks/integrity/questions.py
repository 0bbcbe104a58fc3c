"""The questions of a verify or smoke script, each with what is expected of its answer."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from checks.changes import Change, Verb
from checks.errors import CheckError
from checks.statements import Comment, Statement, line_comments, parse

FORMS = "-- expect: 0, -- expect: 'text', -- expect: no rows or -- expect: unchanged"

_EXPECT = re.compile(r"--+\s*expect\s*:(?P<expected>.*)", re.IGNORECASE)
_WORDS = re.compile(r"no\s+rows|unchanged|null|true|false", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_LONGEST_TITLE = 120


class UnreadableCheck(CheckError):
    """Base of what is refused about a verify or smoke script. `line` counts from 1."""

    def __init__(self, problem: str, *, line: int, remedy: str) -> None:
        self.line = line
        super().__init__(f"Line {line}: {problem}. None of the script was run. {remedy}")


class NoChecks(UnreadableCheck):
    """A script without a statement."""

    code = "no-checks"

    def __init__(self) -> None:
        super().__init__(
            "there is no query in this script, so it would check nothing",
            line=1,
            remedy=f"Write one, with what is expected of it directly before: {FORMS}; or remove the file.",
        )


class ExpectationMissing(UnreadableCheck):
    """A query that could never fail."""

    code = "expectation-missing"

    def __init__(self, *, line: int) -> None:
        super().__init__(
            "nothing is expected of this query, so it could never fail",
            line=line,
            remedy=f"Write it directly before the query, on a line of its own: {FORMS}.",
        )


class ExpectationAlone(UnreadableCheck):
    """An expectation that belongs to no query."""

    code = "expectation-without-query"

    def __init__(self, *, line: int) -> None:
        super().__init__(
            "this expectation belongs to no query",
            line=line,
            remedy="Put it directly before its query, on a line of its own, not behind it, inside it or at the end.",
        )


class ExpectationTwice(UnreadableCheck):
    """Two expectations of one query."""

    code = "expectation-twice"

    def __init__(self, *, line: int) -> None:
        super().__init__(
            "this is the second expectation of one query",
            line=line,
            remedy="Leave one, or write the query a second time.",
        )


class ExpectationUnknown(UnreadableCheck):
    """An expectation in a form that is not known."""

    code = "expectation-unknown"

    def __init__(self, *, line: int) -> None:
        super().__init__(
            "this expectation has a form that is not known",
            line=line,
            remedy=f"Write {FORMS}. Text stands in single quotes.",
        )


class NothingToCompare(UnreadableCheck):
    """`unchanged`, where a query is asked once."""

    code = "nothing-to-compare"

    def __init__(self, *, line: int) -> None:
        super().__init__(
            "this script is asked once, so there is no answer from before that could be unchanged",
            line=line,
            remedy="Expect a value or no rows, or put the query into the verify script of a migration.",
        )


class CheckNotAQuery(UnreadableCheck):
    """A statement that does more than ask."""

    code = "check-not-a-query"

    def __init__(self, *, line: int, kind: str) -> None:
        super().__init__(
            f"{kind} is no question: a check only reads",
            line=line,
            remedy="Use SELECT, VALUES, TABLE or WITH … SELECT that changes, makes and locks nothing.",
        )


class Form(StrEnum):
    """What may be expected of an answer."""

    VALUE = "value"
    NO_ROWS = "no rows"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Check:
    """One query and what is expected of its answer. `number` counts in the script from 1, `line` from 1.

    `sql` is the exact text of the statement, without its semicolon. `value` is what the single value must be as text,
    None for NULL and for the other forms. `expectation` is what the author wrote, in one spelling.
    """

    number: int
    line: int
    title: str
    sql: str
    form: Form
    expectation: str
    value: str | None = None


def expectations(text: str, *, may_compare: bool = True) -> tuple[Check, ...]:
    """Return the checks of a verify or smoke script, in order; never none.

    `may_compare` is False where there is no before to compare with: `unchanged` is refused then. Raises Unparsable, or
    what is below UnreadableCheck: NoChecks, ExpectationMissing, ExpectationAlone, ExpectationTwice, ExpectationUnknown,
    NothingToCompare, CheckNotAQuery.
    """
    script = parse(text)
    comments = deque(line_comments(text))
    checks = []
    for statement in script.statements:
        before = list(_up_to(statement.offset, comments))
        _refuse_alone(_up_to(statement.offset + len(statement.sql), comments))
        checks.append(_check(statement, before, may_compare=may_compare))
    _refuse_alone(comments)
    if not checks:
        raise NoChecks
    return tuple(checks)


def _up_to(offset: int, comments: deque[Comment]) -> Iterator[Comment]:
    """Take the comments that begin before this offset."""
    while comments and comments[0].offset < offset:
        yield comments.popleft()


def _refuse_alone(comments: Iterable[Comment]) -> None:
    for one in comments:
        if _EXPECT.fullmatch(one.text):
            raise ExpectationAlone(line=one.line)


def _check(statement: Statement, before: list[Comment], *, may_compare: bool) -> Check:
    """Return one check. `before` are the comments between the statement before and this one."""
    if not only_asks(statement):
        raise CheckNotAQuery(line=statement.line, kind=_kind(statement))
    expected = [(place, found) for place, one in enumerate(before) if (found := _EXPECT.fullmatch(one.text))]
    _refuse_alone(before[place] for place, _ in expected if not before[place].is_alone)
    if not expected:
        raise ExpectationMissing(line=statement.line)
    if len(expected) > 1:
        raise ExpectationTwice(line=before[expected[1][0]].line)
    place, found = expected[0]
    line = before[place].line
    form, expectation, value = _read(found["expected"].strip(), line=line)
    if form is Form.UNCHANGED and not may_compare:
        raise NothingToCompare(line=line)
    return Check(
        number=statement.index + 1,
        line=statement.line,
        title=_title(before[:place], line) or _shortened(statement.sql),
        sql=statement.sql,
        form=form,
        expectation=expectation,
        value=value,
    )


def _only_reads(change: Change) -> bool:
    """True for what reads, and for calls of functions that are not known: the server refuses them to write."""
    return (change.verb is Verb.READ and change.detail != "row locks") or change.verb is Verb.UNKNOWN


def only_asks(statement: Statement) -> bool:
    """Return whether a statement is one query that changes, makes and locks nothing, as far as its tree tells."""
    return statement.kind == "SELECT" and all(map(_only_reads, statement.changes))


def _kind(statement: Statement) -> str:
    """Return what the statement is to be called, with what makes a SELECT more than a question."""
    guilty = [one for one in statement.changes if not _only_reads(one)]
    if statement.kind != "SELECT" or not guilty:
        return statement.kind
    words = guilty[0].detail if guilty[0].verb is Verb.READ else guilty[0].verb.value
    return f"SELECT with {words}"


def _read(expected: str, *, line: int) -> tuple[Form, str, str | None]:
    """Return the form, its one spelling, and the value that is asked for."""
    if _WORDS.fullmatch(expected):
        word = " ".join(expected.lower().split())
        if word in {Form.NO_ROWS, Form.UNCHANGED}:
            return Form(word), word, None
        return Form.VALUE, word, None if word == "null" else word
    if _NUMBER.fullmatch(expected):
        number = expected.removeprefix("+")
        return Form.VALUE, number, number
    if _TEXT.fullmatch(expected):
        return Form.VALUE, expected, expected[1:-1].replace("''", "'")
    raise ExpectationUnknown(line=line)


def _title(above: list[Comment], line: int) -> str:
    """Return the ordinary comment that ends on the line directly above this one, or ""."""
    lines: deque[str] = deque()
    for one in reversed(above):
        line -= 1
        if one.line != line or not one.is_alone:
            break
        lines.appendleft(one.text.strip("- \t"))
    return _shortened(" ".join(lines))


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_TITLE else words[: _LONGEST_TITLE - 1] + "…"
