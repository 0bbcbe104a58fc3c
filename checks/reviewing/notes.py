"""What a notes.md says about a migration: its headings, and whether something stands below them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEADING = re.compile(r" {0,3}(?P<level>#{1,6})[ \t]+(?P<title>.*?)[ \t#]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

# What the policy asks to be written down, by the words of a heading that announces it.
ASKED: Mapping[str, re.Pattern[str]] = {
    "reasons": re.compile(r"\b(reasons?|why|motivation|purpose|background)\b", re.IGNORECASE),
    "rollback plan": re.compile(r"\b(roll ?-?backs?|way back|going back|undo|revert)\b", re.IGNORECASE),
    "downstream consumers": re.compile(r"\b(downstream|consumers?|who reads|affected|dependents?)\b", re.IGNORECASE),
}


def sections(text: str) -> dict[str, str]:
    """Return the headings of a Markdown text with the text below each, up to the next of its level or above.

    Comments are no text, and what looks like a heading inside a block of code is none. Of two equal headings the texts
    are joined.
    """
    found: dict[str, list[str]] = {}
    open_ones: list[tuple[int, str]] = []
    fence, previous = "", ""
    for line in _COMMENT.sub("", text).splitlines():
        level, title = (0, "") if fence else _heading(line, previous)
        if level:
            if title == previous.strip() != "":  # underlined: it was taken for text
                for _, above in open_ones:
                    found[above].pop()
            open_ones = [one for one in open_ones if one[0] < level]
            open_ones.append((level, title))
            found.setdefault(title, [])
        else:
            for _, above in open_ones:
                found[above].append(line)
        if (mark := _FENCE.match(line)) and fence in {"", mark[1]}:
            fence = "" if fence else mark[1]
        previous = "" if level else line
    return {title: "\n".join(lines).strip() for title, lines in found.items()}


def missing(text: str) -> tuple[str, ...]:
    """Return what of the policy's headings is missing, or has no text below it."""
    written = [title for title, below in sections(text).items() if any(sign.isalnum() for sign in below)]
    return tuple(name for name, words in ASKED.items() if not any(words.search(title) for title in written))


def _heading(line: str, previous: str) -> tuple[int, str]:
    if found := _HEADING.fullmatch(line):
        return len(found["level"]), found["title"]
    if _UNDERLINE.fullmatch(line) and previous.strip():
        return (1 if "=" in line else 2), previous.strip()
    return 0, ""
