"""Scripts replayed in the model and run on a real server: both must end with the same schema, fact by fact."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.model import EMPTY, Schema
from checks.model.replay import begin, replay
from checks.statements import Statement, parse
from deployments.postgres.connect import Session
from deployments.postgres.schema_model import read_schema
from tests.checks.model.differences import differences
from tests.servers import SUPERUSER_URL

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.sql"))
STEP = 6  # statements between two comparisons; what a script makes and drops again is seen too
MEASURED = Path(__file__).parents[1] / "locks" / "measured.json"


@contextmanager
def place(superuser: Session, name: str) -> Iterator[Session]:
    """A database of a test's own, on one connection."""
    name = f"model_{os.getpid()}_{name}"
    superuser.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(name)))
    try:
        with psycopg.connect(make_conninfo(os.environ[SUPERUSER_URL], dbname=name), autocommit=True) as opened:
            yield opened
    finally:
        superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(opened: Session, statement: Statement) -> str:
    """Run one statement as it is written and return the server's refusal, or ""."""
    answer = opened.pgconn.exec_(statement.sql.encode())
    return answer.error_message.decode() if answer.status == psycopg.pq.ExecStatus.FATAL_ERROR else ""


def read(opened: Session) -> Schema:
    with opened.transaction():
        return read_schema(opened)


def follow(opened: Session, schema: Schema, statements: tuple[Statement, ...]) -> Schema:
    """Replay and run statements; what the server refuses must not have changed the model."""
    for statement in statements:
        after = replay(schema, statement)
        if refusal := run(opened, statement):
            assert after == schema, f"line {statement.line}: {refusal}"
        schema = after
    return schema


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_leaves_the_same_schema_in_the_model_and_on_a_server(superuser, path: Path):
    statements = parse(path.read_text()).statements
    schema = went_on = begin(EMPTY)

    with place(superuser, path.stem) as opened:
        for first in range(0, len(statements), STEP):
            some = statements[first : first + STEP]
            for statement in some:
                went_on = replay(went_on, statement)
            schema = follow(opened, schema, some)
            found = read(opened)
            # From the first statement on, as CI does it, and from what was read before, as a plan does it.
            assert differences(schema, found) == [], f"up to line {some[-1].line}"
            assert differences(went_on, found) == [], f"up to line {some[-1].line}, from what was read"
            went_on = replace(found, path=schema.path, script=schema.script, usual_path=schema.usual_path)

    assert schema.doubts == ()


def test_the_fixture_of_the_measured_locks_is_replayed_exactly(superuser):
    measured = json.loads(MEASURED.read_text())
    text = "\n".join(measured["fixture"])

    with place(superuser, "fixture") as opened:
        schema = follow(opened, begin(EMPTY), parse(text).statements)
        found = read(opened)

    assert differences(schema, found) == []
