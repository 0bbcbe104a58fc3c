"""A script cut into its statements, with locks and findings under them. Put together they are the script again."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from checks.errors import Unparsable
from checks.statements import Statement, parse
from deployments.views.signs import FINDINGS
from deployments.views.sql import Mark

MOST_KINDS = 3  # that a title names
KEPT = 256  # scripts whose places are remembered; a script never changes


@dataclass(frozen=True, slots=True)
class Place:
    """Where one statement lies: its text from `start` to `end`, with what stands before it."""

    start: int
    end: int
    first_line: int  # of the passage, from 1
    line: int  # of the statement itself
    column: int
    kind: str


@dataclass(frozen=True, slots=True)
class Passage:
    """One statement with its locks and findings, or several in a row that have none.

    `first` is the number of its first statement, from 1, and `lines` where each of them begins. `quiet` are locks that
    stop neither reads nor writes; those that say the same are one.
    """

    title: str
    text: str
    findings: tuple[Mapping[str, Any], ...]
    locks: tuple[Mapping[str, Any], ...]
    quiet: tuple[Mapping[str, Any], ...]
    marks: tuple[Mark, ...]
    first: int
    lines: tuple[int, ...]
    batches: tuple[Mapping[str, Any], ...] = ()  # of a plan: those of these statements that run in batches
    on_clone: tuple[str, ...] = ()  # of a plan: what these statements took in a rehearsal


def passages(
    text: str,
    findings: Sequence[Mapping[str, Any]],
    locks: Sequence[Mapping[str, Any]] = (),
    quiet: Sequence[Mapping[str, Any]] = (),
) -> list[Passage]:
    """Return a script in passages. The others are those of a stored judgement; lines count from 1."""
    places = places_of(text)
    held, beside = _by_statement(locks, places), _by_statement(quiet, places)
    begins = [(place.line, place.column) for place in places]
    owned: list[list[Mapping[str, Any]]] = [[] for _ in places]
    for one in findings:
        begun = bisect_right(begins, (one["line"], one["column"]))
        owned[max(begun - 1, 0)].append(one)
    told = [
        bool(owned[index] or held[index] or any(one["lasts"] for one in beside[index])) for index in range(len(places))
    ]
    built: list[Passage] = []
    first = 0
    for index, place in enumerate(places):
        following = index + 1
        if following < len(places) and not (told[index] or told[following]):
            continue  # calm statements in a row stand together
        group = places[first : index + 1]
        built.append(
            Passage(
                title=_title(first + 1, group),
                text=text[group[0].start : place.end],
                findings=tuple(owned[index]),
                locks=tuple(held[index]),
                quiet=_once(one for part in beside[first : index + 1] for one in part),
                marks=tuple(_mark(one, group[0], place, text) for one in owned[index]),
                first=first + 1,
                lines=tuple(one.line for one in group),
            )
        )
        first = index + 1
    return built


def _by_statement(rows: Sequence[Mapping[str, Any]], places: Sequence[Place]) -> list[list[Mapping[str, Any]]]:
    found: list[list[Mapping[str, Any]]] = [[] for _ in places]
    for one in rows:
        found[min(one["index"], len(places) - 1)].append(one)
    return found


def _once(rows: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple({(one["relation"], one["mode"], one["blocks"], one["cost"]): one for one in rows}.values())


@lru_cache(maxsize=KEPT)
def places_of(text: str) -> tuple[Place, ...]:
    """Return where the statements of a script lie; what cannot be read is one of them."""
    try:
        statements = parse(text).statements
    except Unparsable:
        statements = ()
    if not statements:
        return (Place(0, len(text), 1, 1, 1, "Script"),)
    ends = [*(_after(text, one) for one in statements[:-1]), len(text)]
    starts = [0, *ends[:-1]]
    return tuple(
        Place(start, end, text.count("\n", 0, start) + 1, one.line, one.column, one.kind)
        for start, end, one in zip(starts, ends, statements, strict=True)
    )


def _after(text: str, statement: Statement) -> int:
    """Return where the line of a statement's semicolon ends, or right after it if more follows on that line."""
    end = text.index(";", statement.offset + len(statement.sql)) + 1
    newline = text.find("\n", end)
    rest = text[end : newline if newline >= 0 else len(text)]
    return end if rest.strip() and not rest.lstrip().startswith("--") else end + len(rest) + (newline >= 0)


def _title(number: int, group: Sequence[Place]) -> str:
    kinds = list(dict.fromkeys(place.kind for place in group))
    shown = ", ".join(kinds[:MOST_KINDS]) + (" and others" if len(kinds) > MOST_KINDS else "")
    return f"{number}. {shown}" if len(group) == 1 else f"{number} to {number + len(group) - 1}. {shown}"


def _mark(finding: Mapping[str, Any], first: Place, place: Place, text: str) -> Mark:
    """Return the lines that a finding is about: its own, or all of a statement that it is about as a whole."""
    line = int(finding["line"])
    last = text.count("\n", 0, max(place.start, len(text[: place.end].rstrip()))) + 1 if line == place.line else line
    begin = first.first_line
    return Mark(line - begin + 1, last - begin + 1, FINDINGS[finding["severity"]].kind)
