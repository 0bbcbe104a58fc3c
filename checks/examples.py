"""The examples of a rule: the world that its `given` makes, and the files that a suggestion consists of."""

from __future__ import annotations

import re
from itertools import pairwise

from checks.context import DEFAULT_VERSION, World
from checks.finding import Rule
from checks.model import EMPTY
from checks.model.replay import replay_script
from checks.statements import parse

_MARK = re.compile(r"^-- file \d+\b.*$", re.MULTILINE)


def world_of(rule: Rule, version: int = DEFAULT_VERSION) -> World:
    """Return the world in which the examples of a rule are judged: an empty database after its `given`."""
    return World(replay_script(EMPTY, parse(rule.given)), version)


def files_of(sql: str) -> tuple[str, ...]:
    """Return the files of an example or a suggestion: it is divided at its lines that begin with `-- file 1`.

    What holds no statement is no file. Raises Unparsable.
    """
    edges = [0, *(mark.start() for mark in _MARK.finditer(sql)), len(sql)]
    files = (sql[start:end] for start, end in pairwise(edges))
    return tuple(file for file in files if parse(file).statements)
