"""SQL as lines with its words marked: byte for byte what runs, so that a copy of it is the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments.lexers.sql import PostgresLexer
from pygments.token import Comment, Keyword, String, _TokenType

LEXER = PostgresLexer()
CLASSES = ((Keyword, "k"), (Comment, "c"), (String, "s"))


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
    for piece, css in pieces(text):
        built[-1].append(f'<span class="{css}">{escape(piece)}</span>' if css else escape(piece))
        if piece.endswith("\n"):
            built.append([])
    if not built[-1]:
        built.pop()
    return [
        Line(number, mark_safe("".join(parts)), kinds.get(number, ""))  # noqa: S308 # each part is escaped above
        for number, parts in enumerate(built, start=1)
    ]


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the tokens of a script with their classes, cut at line ends."""
    for _, token, value in LEXER.get_tokens_unprocessed(text):
        css = class_of(token)
        for piece in value.splitlines(keepends=True) if "\n" in value else [value]:
            if piece:
                yield piece, css


def class_of(token: _TokenType) -> str:
    """Return the class of a kind of token, or "" for plain text."""
    return next((css for kind, css in CLASSES if token in kind), "")
