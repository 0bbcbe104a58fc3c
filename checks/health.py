"""Whether what an application answers means that it is well: judging, not asking."""

from __future__ import annotations

import json
from dataclasses import dataclass

MOST_BYTES = 64 * 1024
"""How much of a body is looked at."""

REDIRECTS = range(300, 400)
LONGEST_VERSION = 120
LONGEST_QUOTE = 60
MOST_LATENCY_MS = 24 * 60 * 60 * 1000
"""A latency above a day is none: something else stands there."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Where an application is asked, and what it must answer. An empty text asks nothing."""

    url: str
    status: int = 200
    json_path: str = ""  # dotted, a number is a place in a list: "checks.0.status"; alone it asks that it is there
    json_value: str = ""  # what stands there, as text: true, false, null and numbers as JSON writes them
    text: str = ""  # occurs in the body
    version_path: str = ""
    latency_path: str = ""  # a number in milliseconds stands there; it says nothing about health


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` holds its first 64 KiB at most; `is_cut` says that there was more."""

    status: int
    body: bytes
    is_cut: bool = False


def judge(answer: Answer, expectation: Expectation) -> str:
    """Return "" if the answer is as expected, else one sentence that says why not."""
    if answer.status != expectation.status:
        if answer.status in REDIRECTS:
            return f"It redirects ({answer.status}), and redirects are not followed."
        return f"Its status is {answer.status}, not {expectation.status}."
    if expectation.json_path:
        value, why = _value_at(answer, expectation.json_path)
        if not why and expectation.json_value not in {"", value}:
            why = f'{expectation.json_path} is "{_quote(value)}", not "{expectation.json_value}".'
        if why:
            return why
    if expectation.text and expectation.text.encode() not in answer.body:
        where = "first 64 KiB of its body" if answer.is_cut else "body"
        return f'"{expectation.text}" does not occur in the {where}.'
    return ""


def version_of(answer: Answer, expectation: Expectation) -> str:
    """Return the version that the answer carries, without control characters and at most 120 long; "" if none."""
    if not expectation.version_path:
        return ""
    value, _ = _value_at(answer, expectation.version_path)
    return "" if value == "null" else _printable(value)[:LONGEST_VERSION]


def latency_of(answer: Answer, expectation: Expectation) -> float | None:
    """Return the latency that the answer carries, in milliseconds; None if it carries no number from 0 to a day."""
    if not expectation.latency_path:
        return None
    value, _ = _value_at(answer, expectation.latency_path)
    if not isinstance(value, _Number):
        return None
    milliseconds = float(value)  # of a number that is too large it makes infinity
    return abs(milliseconds) if 0 <= milliseconds <= MOST_LATENCY_MS else None


class _Number(str):
    """A number as the JSON writes it, so that 1.50 stays 1.50, and is told from a text."""

    __slots__ = ()


def _value_at(answer: Answer, path: str) -> tuple[str, str]:
    """Return the single value at a dotted path as text, and why there is none ("" if there is one)."""
    if answer.is_cut:
        return "", "Its body is longer than 64 KiB, so the JSON in it was not read."
    try:
        place = json.loads(answer.body, parse_int=_Number, parse_float=_Number, parse_constant=str)
    except (ValueError, RecursionError):
        return "", "Its body is not JSON."
    for part in path.split("."):
        match place:
            case dict() if part in place:
                place = place[part]
            case list() if part.isascii() and part.isdigit() and int(part) < len(place):
                place = place[int(part)]
            case _:
                return "", f"The JSON has nothing at {path}."
    match place:
        case str():
            return place, ""
        case dict() | list():
            return "", f"The JSON has no single value at {path}."
    return json.dumps(place), ""  # true, false or null; numbers were left as they are written


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()


def _quote(text: str) -> str:
    shown = _printable(text)
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[:LONGEST_QUOTE]}…"
