"""The cases of the files in cases/, and the schema they meet."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from checks.model import EMPTY, Name, Schema, Size
from checks.model.replay import begin, replay_script
from checks.statements import parse

FILES = {"shop": 400, "tenants": 400, "names": 200}
"""The files with the least number of cases that each has for any version."""

_DIRECTIVE = re.compile(r"-- (fixture|alone|open|since \d+|until \d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One script with the versions it is for. `is_open` may lock more than is predicted, and says so."""

    sql: str
    since: int = 14
    until: int = 18
    is_alone: bool = False
    is_open: bool = False


@cache
def read(name: str) -> tuple[str, tuple[Case, ...]]:
    """Return the fixture of a file as one script, and its cases."""
    fixture, cases = [], []
    for block in Path(__file__).with_name("cases").joinpath(f"{name}.sql").read_text().split("\n\n")[1:]:
        told = dict((*one.split(" "), "")[:2] for one in _DIRECTIVE.findall(block))
        sql = "\n".join(line for line in block.strip().splitlines() if not line.startswith("-- "))
        if "fixture" in told:
            fixture.append(sql)
        elif sql:
            since, until = int(told.get("since", 14)), int(told.get("until", 18))
            cases.append(Case(sql, since, until, is_alone="alone" in told, is_open="open" in told))
    return "\n".join(fixture), tuple(cases)


def replayed(fixture: str, rows: dict[Name, int]) -> Schema:
    """Return the schema of a fixture, with the sizes that a server has."""
    schema = replay_script(replace(EMPTY, usual_time_zone="UTC"), parse(fixture))
    for name, count in rows.items():
        if (found := schema.relations.get(name)) is not None:
            schema = schema.having(replace(found, size=Size(bytes=8192, rows=count)))
    return begin(schema)
