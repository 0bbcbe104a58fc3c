"""The shape of a statement: its words without the values, for showing what others run without showing their data."""

import re
from functools import lru_cache

LONGEST = 300  # characters of a shape that is shown
VALUE = "?"
_TOKENS = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\* )
    | (?P<value>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\\?$)            # E'…' with backslashes; what is cut off is a value to its end
        | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*(?:'|$)
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|$)
        | \$\d+
        | (?:\d[\w.]*|\.\d\w*)(?:(?<=[eE])[+-]?\d+)? )
    | (?P<name> (?:[uU]&)?"(?:[^"]|"")*(?:"|$) | [^\W\d][\w$]* )
    | (?P<space> \s+ )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_LISTS = re.compile(r"\?(?:, ?\?)+")
# What follows is a value even where it looks like a name: SET app.user = alice.
_SETTING = re.compile(
    r"^(set (?!constraints|transaction|session char)(?:local |session )?[\w.\"$ ]+?) ?(?:=|\bto\b).*$",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=512)
def shape_of(text: str) -> str:
    """Return a statement with `?` in place of every value, without comments, on one line, cut after LONGEST characters.

    It needs no grammar: text that the server cut off, or that is no SQL, has a shape too. Names stay, also quoted ones.
    """
    parts: list[str] = []
    place = 0
    while (found := _TOKENS.match(text, place)) is not None:
        place = found.end()
        if found.lastgroup == "comment":
            place = _end_of_comment(text, place) if found[0] == "/*" else place
            parts.append(" ")
        elif found["value"] is not None:
            parts.append(VALUE)
        else:
            parts.append(" " if found["space"] else found[0])
    shape = _LISTS.sub(f"{VALUE}, …", re.sub(r" +", " ", "".join(parts)).strip())
    shape = _SETTING.sub(rf"\1 = {VALUE}", shape)
    return shape if len(shape) <= LONGEST else shape[:LONGEST] + "…"


def _end_of_comment(text: str, place: int) -> int:
    """Return where the comment ends that began before `place`: comments may be nested."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, place):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)
