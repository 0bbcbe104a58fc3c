"""What is predicted is what happens: every case on every PostgreSQL of this machine, so that the truth cannot drift."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import cache

import psycopg
import pytest

from checks.locks import Work
from checks.model import Schema
from checks.model.replay import begin, replay_script
from checks.statements import parse
from tests.checks.locks.cases import FILES, Case, read, replayed
from tests.checks.locks.live import Place, fresh_database, look, measure, measure_waiting, run_alone
from tests.checks.locks.outcome import Outcome, predict
from tests.checks.locks.servers import server_of
from tests.checks.locks.test_measured_locks import EXCEPTIONS, MEASURED

VERSIONS = (14, 15, 16, 17, 18)
# The server says nothing when it reads the rows for these.
_SILENT = re.compile(r"(?:create table|alter domain)\b")


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A version and the address of a server of that version."""
    with server_of(request.param) as url:
        yield request.param, url


def compared(case: Case, found: Outcome, predicted: Outcome, place: Place) -> list[str]:
    """How a case differs, with its text; what is known not to be seen is left out."""
    # Some minor versions of 18 open the sequence of a default that they copy. Nobody waits for that.
    for name in [one for one, mode in found.locks.items() if mode == "ACCESS SHARE" and place.kinds[one] == "S"]:
        if place.version >= 18 and name not in predicted.locks:
            del found.locks[name]
    if _SILENT.search(case.sql):
        predicted.work[Work.SCAN] &= found.work[Work.SCAN]
    if case.is_open:
        assert predicted.unknown, f"{case.sql}: nothing is said to be unknown"
        predicted.locks |= {name: mode for name, mode in found.locks.items() if name not in predicted.locks}
    return [f"{case.sql}: {one}" for one in found.differs(predicted)]


def in_transactions(place: Place, schema: Schema, cases: Iterable[Case]) -> list[str]:
    """Run every case in a transaction of its own, and return what differs."""
    differences = []
    with closing(psycopg.connect(place.url)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.commit()
        for case in cases:
            predicted = predict(case.sql, schema, place.version)
            differences += compared(case, measure(place, connection, case.sql), predicted, place)
    return differences


def alone(url: str, name: str, template: str, schema: Schema, cases: Iterable[Case]) -> list[str]:
    """Run every case without a transaction, each in a copy of a database, and return what differs."""
    differences = []
    for case in cases:
        with fresh_database(url, name, template=template) as copy:
            place = look(copy)
            predicted = predict(case.sql, schema, place.version)
            if not predicted.is_refused:
                waited = measure_waiting(place, case.sql, sorted(predicted.locks))
                assert waited, f"{case.sql}: it waits for nobody"
                differences += [
                    f"{case.sql}: waits for {mode} of {table}, predicted {predicted.locks.get(table)}"
                    for table, mode in waited.items()
                    if predicted.locks.get(table) != mode
                ]
            found = run_alone(place, case.sql)
            found.locks = predicted.locks
            differences += compared(case, found, predicted, place)
    return differences


def belongs(version: int) -> Callable[[Case], bool]:
    """Whether a case is for a version."""
    return lambda case: case.since <= version <= case.until


@pytest.mark.parametrize("file", FILES)
def test_the_cases_of_a_file_happen_as_predicted(server: tuple[int, str], file: str) -> None:
    version, url = server
    fixture, cases = read(file)
    wanted = [one for one in cases if belongs(version)(one)]
    name = f"locks_cases_{os.getpid()}"

    with fresh_database(url, name, fixture) as database:
        place = look(database)
        schema = replayed(fixture, place.rows)
        assert {str(one) for one in schema.relations} == set(place.kinds)
        assert len(wanted) > FILES[file]
        assert schema.doubts == ()
        differences = in_transactions(place, schema, [one for one in wanted if not one.is_alone])
        differences += alone(url, f"{name}_alone", name, schema, [one for one in wanted if one.is_alone])

    assert differences == []


@cache
def measured_cases(version: int) -> dict[tuple[str, ...], list[Case]]:
    """The cases of measured.json by what comes before them."""
    found: dict[tuple[str, ...], list[Case]] = {}
    for one in MEASURED["cases"]:
        is_for = any(version in told["versions"] for told in one["measured"])
        if is_for and one["sql"] not in EXCEPTIONS:
            case = Case(one["sql"], is_alone=one.get("needs_autocommit", False))
            found.setdefault(tuple(one.get("before", ())), []).append(case)
    return found


def test_the_measured_cases_happen_as_predicted(server: tuple[int, str]) -> None:
    version, url = server
    fixture = "\n".join(MEASURED["fixture"])
    name = f"locks_measured_{os.getpid()}"
    differences: list[str] = []

    with fresh_database(url, name, fixture):
        for before, cases in measured_cases(version).items():
            with fresh_database(url, f"{name}_copy", "; ".join(before), template=name) as copy:
                place = look(copy)
                schema = begin(replayed(fixture, place.rows))
                for script in before:
                    schema = begin(replay_script(schema, parse(script)))
                differences += in_transactions(place, schema, [one for one in cases if not one.is_alone])
            differences += alone(url, f"{name}_alone", name, schema, [one for one in cases if one.is_alone])

    assert differences == []


def test_every_case_is_measured_on_some_version() -> None:
    cases = {one["sql"] for one in MEASURED["cases"]}
    measured = {case.sql for version in VERSIONS for group in measured_cases(version).values() for case in group}

    assert cases - measured == set(EXCEPTIONS)
