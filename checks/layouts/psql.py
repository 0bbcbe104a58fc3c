"""What a client takes out of a script before the server sees it: the data of COPY, and the commands of psql."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from checks.errors import Unparsable


class Cut(StrEnum):
    """What a piece of a script is."""

    STATEMENT = "statement"
    DATA = "data"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a script, `start` and `end` in characters: a statement with its semicolon, data, or a command."""

    kind: Cut
    start: int
    end: int


_NEXT = re.compile(
    r"""['"();\\]|--|/\*|\$(?:[^\W\d]\w*)?\$|\bBEGIN\s+ATOMIC\b|\bCASE\b|\bEND\b""",
    re.IGNORECASE,
)
_STRING = re.compile(r"[^']*+(?:''[^']*+)*+'")
_ESCAPED = re.compile(r"[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'", re.DOTALL)
_QUOTED = re.compile(r'[^"]*+(?:""[^"]*+)*+"')
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COPY = re.compile(r"\s*COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_END_OF_DATA = re.compile(r"^\\\.[ \t]*\r?$", re.MULTILINE)
_REST_OF_LINE = re.compile(r"[ \t\r]*(?:--[^\n]*)?(?:\n|\Z)")
_COMMAND = re.compile(r"\\(?P<name>[A-Za-z]+|[^\s\w])(?P<arguments>[^\n]*)")
_CONTROL = re.compile(
    r"(?P<begin>(?:BEGIN|START\s+TRANSACTION)\b)|(?P<commit>(?:COMMIT|END)\b(?!\s+PREPARED))"
    r"|(?P<rollback>ROLLBACK\b(?!\s+(?:PREPARED|TO)))|(?:COMMIT|ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b",
    re.IGNORECASE,
)
# Looked for in the last characters alone, before a large script is taken apart for nothing.
_FRAME_END = re.compile(r"\b(?:COMMIT|END|ROLLBACK)\b", re.IGNORECASE)
_LONGEST_TAIL = 10_000

# They print, or change how psql prints; the server never hears of them (psql's manual, "Meta-Commands").
_HARMLESS = frozenset(
    """a C conninfo d dt di dv dn df du dx echo f H l p pset qecho restrict t T timing unrestrict warn x""".split()  # noqa: SIM905
)
# Variables that only change what psql prints, or when it stops. Another one could be put anywhere into the SQL.
_SETTINGS = frozenset({"ON_ERROR_STOP", "QUIET", "VERBOSITY", "ECHO", "ECHO_HIDDEN", "SHOW_CONTEXT", "HISTFILE"})


def pieces(text: str, *, has_data: bool = True) -> Iterator[Piece]:
    """Yield the pieces of a script in order, as psql takes it apart; what follows an open quote is left out.

    Without `has_data` the data of COPY is taken for gone already, and what follows a COPY is a statement again.
    """
    at = start = depth = 0
    is_fresh = True  # nothing but white space and comments since the piece before
    while token := _NEXT.search(text, at):
        here, what, at = token.start(), token[0].upper(), token.end()
        is_fresh = is_fresh and not text[start:here].strip()
        if what in {"--", "/*"} or what[0] in "'\"$":
            at = _after(text, token)
            if at < 0:
                return
            if what in {"--", "/*"} and is_fresh:
                start = at
            is_fresh = is_fresh and what in {"--", "/*"}
        elif what == "\\":
            at = _line_end(text, at)
            start = at if is_fresh else start
            yield Piece(Cut.COMMAND, here, at)
        elif what != ";":
            depth = _depth(depth, what)
        elif depth == 0:
            yield Piece(Cut.STATEMENT, _begin(text, start, here), at)
            if has_data and _COPY.match(text, start, here):
                data = _line_end(text, at) + 1
                end = _END_OF_DATA.search(text, data)
                at = max(at, end.end() if end else len(text))
                yield Piece(Cut.DATA, data, at)
            start, is_fresh = at, True
    if text[start:].strip():
        yield Piece(Cut.STATEMENT, _begin(text, start, len(text)), len(text))


def is_open(text: str) -> bool:
    """True when a text ends inside of quotes, a comment, brackets or BEGIN ATOMIC: a semicolon there ends nothing."""
    at = depth = 0
    while token := _NEXT.search(text, at):
        what, at = token[0].upper(), token.end()
        if what in {"--", "/*"} or what[0] in "'\"$":
            at = _after(text, token)
            if at < 0:
                return True
        else:
            depth = depth if what in {";", "\\"} else _depth(depth, what)
    return depth > 0


def without_data(text: str, *, commands: bool) -> str:
    """Return a script with spaces in place of the data of COPY, and of psql's own commands if asked; lines stay.

    A backslash that is no such command stays: the parser refuses it. Raises Unparsable for a command that would change
    what runs, and for SQL on the line of a COPY, behind it.
    """
    if "\\" not in text and not re.search(r"\bstdin\b", text, re.IGNORECASE):
        return text
    kept, done, before = [], 0, 0
    for piece in pieces(text):
        if piece.kind is Cut.STATEMENT or (piece.kind is Cut.COMMAND and not commands):
            before = piece.end
            continue
        if piece.kind is Cut.COMMAND:
            _require_harmless(text, piece)
        elif not _REST_OF_LINE.match(text, before):
            raise _refused(text, before, "something stands behind COPY … FROM stdin on its line, before its data")
        kept += [text[done : piece.start], blank(text[piece.start : piece.end])]
        done = piece.end
    return "".join([*kept, text[done:]])


def without_frame(text: str, *, ends: str = "commit") -> str | None:
    """Return a script with spaces in place of the BEGIN and COMMIT around all of it, or None where there are none.

    Asked of what `without_data` returned. `ends` may be "rollback" for a script that is to leave nothing behind.
    """
    if not _FRAME_END.search(text, max(0, len(text) - _LONGEST_TAIL)):
        return None
    statements = [piece for piece in pieces(text, has_data=False) if piece.kind is Cut.STATEMENT]
    controls = [_CONTROL.match(text, piece.start, piece.end) for piece in statements]
    if len(controls) < 2 or any(controls[1:-1]):  # noqa: PLR2004
        return None
    first, last = controls[0], controls[-1]
    if not (first and first["begin"] and last and last[ends]):
        return None
    begin, commit = statements[0], statements[-1]
    inside = text[begin.end : commit.start]
    return (
        text[: begin.start]
        + blank(text[begin.start : begin.end])
        + inside
        + blank(text[commit.start : commit.end])
        + text[commit.end :]
    )


def is_framed(text: str) -> bool:
    """True when a script for psql is one transaction from its first statement to its last, by its own words."""
    if not _FRAME_END.search(text, max(0, len(text) - _LONGEST_TAIL)):
        return False
    try:
        return without_frame(without_data(text, commands=True)) is not None
    except Unparsable:
        return False


def blank(text: str) -> str:
    """Return a text of the same length and lines with nothing but spaces."""
    return "\n".join(" " * len(line) for line in text.split("\n"))


def _begin(text: str, start: int, end: int) -> int:
    """Return where the white space before a statement ends."""
    match = re.compile(r"\s*").match(text, start, end)
    return match.end() if match else start


def _depth(depth: int, word: str) -> int:
    """Return how deep the next character is in brackets and in BEGIN ATOMIC … END; CASE has an END of its own."""
    if word in {")", "END"}:
        return max(0, depth - 1)
    return depth + 1 if word == "(" or word.startswith("BEGIN") or depth else 0


def _after(text: str, token: re.Match[str]) -> int:
    """Return the place behind a comment or a quoted text that begins with a token, or -1 where it never ends."""
    if token[0] == "--":
        return _line_end(text, token.end())
    return _after_comment(text, token.end()) if token[0] == "/*" else _after_quote(text, token)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _after_comment(text: str, at: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            return -1
        depth, at = depth + (1 if edge[0] == "/*" else -1), edge.end()
    return at


def _after_quote(text: str, token: re.Match[str]) -> int:
    """Return the place behind what a quote opens, or -1 where it is never closed."""
    opened, here, at = token[0], token.start(), token.end()
    before = text[here - 1 : here] if here else ""
    if opened.startswith("$"):
        if before == "$" or before.isalnum() or before == "_":
            return here + 1  # a dollar inside of a name
        end = text.find(opened, at)
        return end + len(opened) if end >= 0 else -1
    if opened == '"':
        closed = _QUOTED.match(text, at)
    else:
        is_escaped = before in {"e", "E"} and not re.match(r"[\w$]", text[here - 2 : here - 1])
        closed = (_ESCAPED if is_escaped else _STRING).match(text, at)
    return closed.end() if closed else -1


def _require_harmless(text: str, piece: Piece) -> None:
    command = _COMMAND.match(text, piece.start)
    name, arguments = (command["name"], command["arguments"].strip()) if command else ("", "")
    line_start = text.rfind("\n", 0, piece.start) + 1
    if text[line_start : piece.start].strip() or "\\" in arguments or "`" in arguments:
        raise _refused(text, piece.start, f"\\{name} stands among SQL or with other commands of psql")
    variable = arguments.split(maxsplit=1)[0] if arguments else ""
    if not (name in _HARMLESS or (name in {"set", "unset"} and variable in _SETTINGS)):
        raise _refused(text, piece.start, f"\\{name} is a command of psql that changes what runs, and is not analysed")


def _refused(text: str, offset: int, problem: str) -> Unparsable:
    line = text.count("\n", 0, offset) + 1
    return Unparsable(problem, line=line, column=offset - text.rfind("\n", 0, offset), offset=offset)
