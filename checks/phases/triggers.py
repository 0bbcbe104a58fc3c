"""What the function of a trigger does to the row that is written, where that can be read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checks.tree import Tree

_LONGEST = 5_000
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
_ASSIGNED = re.compile(rf"NEW\.(?P<column>{_NAME})\s*:?=\s*(?P<value>.+)", re.IGNORECASE | re.DOTALL)
_READ = re.compile(rf"\b(?:NEW|OLD)\.(?P<column>{_NAME})", re.IGNORECASE)
_RETURN = re.compile(r"RETURN\s+NEW|END(?:\s+IF)?", re.IGNORECASE)
# The head of a branch stands before what it guards; its condition changes nothing.
_HEAD = re.compile(r"(?:BEGIN|ELSE|(?:ELS(?:E)?IF|IF)\b[^;]*?\bTHEN)\s+", re.IGNORECASE | re.DOTALL)
# A call may do anything; these are known to do nothing but compute.
_CALL = re.compile(r"([a-z_][a-z0-9_]*)\s*\(", re.IGNORECASE)
_COMPUTES = frozenset({"coalesce", "nullif", "round", "trunc", "lower", "upper", "trim", "abs", "greatest", "least"})
_WORDS = frozenset({"if", "elsif", "elseif", "and", "or", "not", "in", "then"})
_QUERIES = re.compile(r"\b(?:select|insert|update|delete|merge|raise|execute|perform)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a trigger function does: it gives columns of the new row values, from others of the same row.

    `columns` maps each column that is assigned to those its value is made of. Names are bare.
    """

    columns: dict[str, frozenset[str]]


def keeping(function: Tree) -> Keeping | None:
    """Return what a CREATE FUNCTION in plpgsql does as a trigger, or None if it may do anything else."""
    body = _body(function)
    if not body or len(body) > _LONGEST:
        return None
    columns: dict[str, frozenset[str]] = {}
    for piece in _COMMENT.sub(" ", body).split(";"):
        said = piece.strip()
        while head := _HEAD.match(said):
            if _does_more(head[0]):
                return None
            said = said[head.end() :].strip()
        if assigned := _ASSIGNED.fullmatch(said):
            if _does_more(assigned["value"]):
                return None
            read = frozenset(_bare(one["column"]) for one in _READ.finditer(assigned["value"]))
            column = _bare(assigned["column"])
            columns[column] = columns.get(column, frozenset()) | read
        elif said and not _RETURN.fullmatch(said):
            return None
    return Keeping(columns)


def _does_more(text: str) -> bool:
    """True when an expression may do more than compute: it calls something, or asks. A backslash may hide a quote."""
    bare = _TEXT.sub("", text)
    called = {one.lower() for one in _CALL.findall(bare)} - _COMPUTES - _WORDS
    return bool(called) or "\\" in text or _QUERIES.search(bare) is not None


def _body(function: Tree) -> str:
    language, body = function.option("language"), function.option("as")
    written = language.get("arg") if language else None
    if written is None or written.text("sval").lower() != "plpgsql" or body is None:
        return ""
    parts = body.get("arg")
    lines = parts.items() if parts else ()
    return lines[0].text("sval") if len(lines) == 1 else ""


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
