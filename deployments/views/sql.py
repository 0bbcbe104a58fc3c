"""SQL as lines with its words marked: byte for byte what runs, so that a copy of it is the same.

What nobody would see is shown beside itself: a character that draws nothing, or that turns the direction of what
follows, would let a person approve another text than the one that runs.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments.lexers.sql import PostgresLexer
from pygments.token import Comment, Keyword, String, _TokenType

LEXER = PostgresLexer()
CLASSES = ((Keyword, "k"), (Comment, "c"), (String, "s"))
BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # that Unicode counts as seen
RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+",
)
LINE_BREAK = re.compile(r"(?<=\n)")
SCRIPT_BREAK = re.compile(r"(?<=\r)(?!\n)")  # ends a comment for PostgreSQL, and not for Pygments


@dataclass(frozen=True, slots=True)
class Mark:
    """Lines that a finding is about. `first` and `last` count from 1; `kind` is a sign's kind."""

    first: int
    last: int
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its line break, as HTML."""

    number: int
    html: SafeString
    kind: str  # of the mark on it, or ""


def lines(text: str, marks: Iterable[Mark] = ()) -> list[Line]:
    """Return the lines of a script. Their texts put together are the script again."""
    kinds = {number: mark.kind for mark in marks for number in range(mark.first, mark.last + 1)}
    built: list[list[str]] = [[]]
    for css, run in groupby(pieces(text), key=itemgetter(1)):
        for piece in LINE_BREAK.split("".join(value for value, _ in run)):
            if not piece:
                continue
            shown: str = visible(piece)
            # A word keeps its own direction; the order of the words is ours.
            shown = f'<span class="{css}">{shown}</span>' if css else RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", shown)
            built[-1].append(shown)
            if piece.endswith("\n"):
                built.append([])
    if not built[-1]:
        built.pop()
    return [
        Line(number, mark_safe("".join(parts)), kinds.get(number, ""))  # noqa: S308 # each part is escaped above
        for number, parts in enumerate(built, start=1)
    ]


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a script with their classes."""
    for part in SCRIPT_BREAK.split(text):
        for _, token, value in LEXER.get_tokens_unprocessed(part):
            yield value, class_of(token)


def visible(text: str) -> SafeString:
    """Return a text escaped, with the number of each character in it that nobody would see beside that one."""
    if text.isprintable() and BLANK_LETTERS.isdisjoint(text):
        return escape(text)
    shown = [
        "&#13;"  # a bare one would be read as a line break
        if char == "\r" and text[place + 1 : place + 2] == "\n"
        else _odd(char)
        if char in BLANK_LETTERS or not (char.isprintable() or char in "\n\t")
        else escape(char)
        for place, char in enumerate(text)
    ]
    return mark_safe("".join(shown))  # noqa: S308 # each part is escaped above


def _odd(char: str) -> str:
    itself = "&#13;" if char == "\r" else char
    return f'<bdi class="odd" data-char="U+{ord(char):04X}">{itself}</bdi>'


def class_of(token: _TokenType) -> str:
    """Return the class of a kind of token, or "" for plain text."""
    return next((css for kind, css in CLASSES if token in kind), "")
