"""One file with several parts: each part gets the whole file, with spaces in place of the others."""

from __future__ import annotations

from collections.abc import Iterable

from checks.layouts.psql import blank


def only(text: str, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return a text in which nothing but these spans is left, as UTF-8; every character stays at its place.

    The spans are in characters, in order, and do not overlap.
    """
    kept, done = [], 0
    for start, end in spans:
        kept += [blank(text[done:start]), text[start:end]]
        done = end
    return "".join([*kept, blank(text[done:])]).encode()


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; nothing but a line feed ends one, as everywhere in a script."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
