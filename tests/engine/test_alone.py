"""Indexes built beside the application by executors that may die, and statements that are refused before they run."""

import time

import pytest
from django.db import connection

from deployments.models import StepLog
from deployments.planning import PlanBlocked
from tests.engine.conftest import Rewards

BY_NAME = "CREATE INDEX CONCURRENTLY by_name ON users (name)"


@pytest.fixture
def users(rewards) -> Rewards:
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE users (id int, name text)")
        opened.execute("INSERT INTO users VALUES (1, 'Dana'), (2, 'Lee'), (3, 'Lee')")
    return rewards


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def indexes(rewards) -> list[tuple[str, bool]]:
    query = (
        "SELECT relname::text, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    with rewards.connect() as opened:
        return opened.execute(query).fetchall()


def statements(rewards) -> list[tuple[int, str]]:
    with rewards.connect() as opened:
        return opened.execute("SELECT position, state FROM locktender.statement ORDER BY job, position").fetchall()


def test_an_index_is_built_and_the_way_back_drops_it(users):
    users.write("001_index", BY_NAME, "DROP INDEX CONCURRENTLY by_name")

    job = users.deploy()
    assert (job.state, indexes(users)) == ("succeeded", [("by_name", True)]), users.output
    assert StepLog.objects.filter(line="001_index: 1 statement, each by itself").exists()

    back = users.execute(users.start(users.plan_rollback(job.run)))
    assert (back.state, indexes(users)) == ("succeeded", []), users.output
    assert users.history() == [("001_index", "forward"), ("001_index", "rollback")]
    assert statements(users) == [(1, "done"), (1, "done")]


def test_an_index_whose_executor_was_killed_in_its_last_phase_is_finished_by_another_and_built_once(users):
    users.write("001_index", f"CREATE INDEX CONCURRENTLY by_id ON users (id); {BY_NAME}")
    users.sync()
    job = users.start(users.plan())
    with users.connect() as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM locktender.meta")  # the end of a build waits for this snapshot
        with users.executor(job, LEASE="2") as first:
            until(lambda: ("by_id", False) in indexes(users))
            first.kill()
            first.communicate(timeout=30)
        assert statements(users) == [(1, "intent")]
        until(lambda: has_expired(job))

        with users.executor(job) as second:
            until(lambda: StepLog.objects.filter(line__contains="dropping the unfinished index by_id").exists())
            old.execute("COMMIT")
            second.communicate(timeout=60)

    job.refresh_from_db()
    assert (job.state, job.applied, job.error) == ("succeeded", 1, "")
    assert indexes(users) == [("by_id", True), ("by_name", True)]
    assert statements(users) == [(1, "done"), (2, "done")]
    assert users.history() == [("001_index", "forward")]


def has_expired(job) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT lease_until < clock_timestamp() FROM deployments_job WHERE id = %s", [job.pk])
        return cursor.fetchone()[0]


def test_a_violated_unique_index_fails_with_the_servers_words_and_the_corrected_rows_let_it_through(users):
    users.write("001_index", "CREATE UNIQUE INDEX CONCURRENTLY by_name ON users (name)")

    job = users.deploy()

    assert (job.state, job.error_code, job.applied) == ("failed", "statement-failed", 0), users.output
    assert "Key (name)=(Lee) is duplicated." in job.error
    assert (indexes(users), users.history()) == ([], [])

    with users.connect() as opened:
        opened.execute("DELETE FROM users WHERE id = 3")
    assert users.deploy().state == "succeeded"
    assert indexes(users) == [("by_name", True)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("REINDEX INDEX CONCURRENTLY by_name", "statement-not-supported"),
        ("REINDEX TABLE CONCURRENTLY users", "statement-not-supported"),
        ("VACUUM users", "statement-not-supported"),
        ("ALTER SYSTEM SET work_mem = '1GB'", "statement-not-supported"),
        ("CREATE DATABASE other", "statement-not-supported"),
        (f"CREATE TABLE more (id int); {BY_NAME}", "mixed-transaction"),
        ("CREATE INDEX CONCURRENTLY ON users (name)", "index-unnamed-concurrently"),
        ("BEGIN; CREATE TABLE more (id int); COMMIT", "transaction-control"),
        ("CREATE TABLE more (note text DEFAULT 'a\0b')", "unparsable-sql"),
        ("CREATE TABEL more (id int)", "unparsable-sql"),
    ],
)
def test_what_could_not_be_resumed_or_read_is_refused_with_its_code_before_anything_runs(users, text, code):
    users.write("001_refused", text)
    users.sync()

    with pytest.raises(PlanBlocked) as refused:
        users.plan()

    assert code in {finding.code for _, finding in refused.value.blocking}
    assert (users.tables(), users.history()) == ({"users"}, [])
