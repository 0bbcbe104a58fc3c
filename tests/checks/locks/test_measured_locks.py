"""Every case that was measured on PostgreSQL 14 to 18 is predicted: locks, rewrites, scans, index builds, refusals."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from checks.locks import Work
from checks.model import EMPTY, Name, Schema, Size
from checks.model.replay import begin, replay_script
from checks.statements import parse
from tests.checks.locks.outcome import Outcome, add_notices, predict, tables_of

MEASURED = json.loads(Path(__file__).with_name("measured.json").read_text())
VERSIONS = (14, 15, 16, 17, 18)

# Why a measurement is not what happens.
EXCEPTIONS = {
    "alter table p detach partition p1 concurrently": "it was measured while it waited for a lock, and had none yet",
}
# Why a scan is predicted of which the server says nothing: it has no message for these.
SILENT_SCANS = {
    "alter domain dm add constraint z check (value > 0)": {"td"},
    "alter domain dm add constraint z check (value > 0) not valid; alter domain dm validate constraint z": {"td"},
    "alter domain dm set not null": {"td"},
    "create table z partition of pd for values from (100) to (200)  -- has default partition": {"pdd"},
}


@cache
def fixture() -> Schema:
    """The schema of the measurements. What was filled there has rows; the session was in UTC."""
    schema = replay_script(replace(EMPTY, usual_time_zone="UTC"), parse("\n".join(MEASURED["fixture"])))
    for filled in ("r", "t", "tc", "tv", "pn", "pnc", "td", "ul", "gen"):
        name = Name("public", filled)
        schema = schema.having(replace(schema.relations[name], size=Size(bytes=8192, rows=100)))
    return schema


def met_by(case: dict[str, Any]) -> Schema:
    """The schema that a case meets: nothing in it is new."""
    schema = fixture()
    for script in case.get("before", ()):
        schema = replay_script(schema, parse(script))
    return begin(schema)


def measured(case: dict[str, Any], version: int, schema: Schema) -> Outcome | None:
    """What was measured on a version, or None."""
    for one in case["measured"]:
        if version in one["versions"]:
            outcome = Outcome(locks=dict(one["locks"]), is_refused="error" in one)
            tables = tables_of(schema)
            anew = tables & set(one.get("rewritten", ()))
            emptied = "truncate" in case["sql"]
            add_notices(outcome, one.get("notices", ()), tables, anew)
            outcome.work[Work.REWRITE] |= set() if emptied else anew
            outcome.work[Work.SCAN] |= SILENT_SCANS.get(case["sql"], set())
            return outcome
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_every_measured_case_is_predicted(version: int) -> None:
    differences = []
    for case in MEASURED["cases"]:
        schema = met_by(case)
        found = measured(case, version, schema)
        if found is None or case["sql"] in EXCEPTIONS:
            continue
        predicted = predict(case["sql"], schema, version)
        if case.get("needs_autocommit"):  # it was stopped while it waited for its lock: what it does then is not seen
            predicted.work = found.work
        differences += [f"{case['sql']}: {one}" for one in found.differs(predicted)]

    assert differences == []
