"""A script judged on a schema: what the tests of single rules share."""

from __future__ import annotations

from checks.context import DEFAULT_VERSION, World
from checks.finding import Finding
from checks.model import EMPTY, UNKNOWN
from checks.model.replay import replay_script
from checks.report import judge
from checks.statements import parse


def world(given: str | None, version: int = DEFAULT_VERSION, *, wraps: bool = True) -> World:
    """Return a world after a script; None is one of which nothing is known."""
    return World(UNKNOWN if given is None else replay_script(EMPTY, parse(given)), version, wraps)


def findings(
    sql: str, given: str | None = None, version: int = DEFAULT_VERSION, *, style: bool = False
) -> list[Finding]:
    """Return what is found about a script, in the order of its text."""
    return list(judge(sql, world=world(given, version), style=style).findings)


def codes(sql: str, given: str | None = None, version: int = DEFAULT_VERSION, *, style: bool = False) -> list[str]:
    """Return the codes of what is found about a script."""
    return [one.code for one in findings(sql, given, version, style=style)]


def only(code: str, sql: str, given: str | None = None, version: int = DEFAULT_VERSION) -> Finding:
    """Return the one finding of this code; style is asked too."""
    (found,) = (one for one in findings(sql, given, version, style=True) if one.code == code)
    return found
