"""Indexes built beside the application by executors that may die, and statements that are refused before they run."""

import time

import pytest
from django.db import connection

from deployments.models import StepLog
from deployments.planning import PlanBlocked
from tests.engine.conftest import TIMINGS, Rewards

BY_NAME = "CREATE INDEX CONCURRENTLY by_name ON users (name)"
DECLARED = f"-- locktender: no-transaction\nCREATE TABLE more (id int); {BY_NAME}"


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
    """Whether a successor gets the job: its lease ran out, and the control database is up for a lease of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lease_until < clock_timestamp()"
            " AND pg_postmaster_start_time() < clock_timestamp() - %s * interval '1 s'"
            " FROM deployments_job WHERE id = %s",
            [float(TIMINGS["LEASE"]), job.pk],
        )
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
        ("CREATE INDEX CONCURRENTLY ON users (name)", "index-unnamed-concurrently"),
        (f"CREATE TABLE more (id int); {BY_NAME}", "mixed-transaction"),
        ("BEGIN; CREATE TABLE more (id int); COMMIT; CREATE TABLE again (id int)", "transaction-control"),
        ("CREATE TABLE more (id int); ROLLBACK", "transaction-control"),
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


def test_an_executor_that_dies_at_each_named_place_is_followed_and_everything_is_there_once(users):
    """One after the other: before the commit of the first statement, after it, and around the act of the second."""
    users.write("001_mixed", DECLARED.replace("(id int)", "AS SELECT 1 AS id"))
    users.sync()
    job = users.start(users.plan())
    left = []
    for point in ("before-commit", "statement-done", "statement-intended", "statement-acted"):
        users.execute(job, LEASE="2", LOCKTENDER_CRASH_AT=point)
        left.append((statements(users), [name for name, _ in indexes(users)]))
        until(lambda: has_expired(job))

    job = users.execute(job)

    done, intended = [(1, "done")], [(1, "done"), (2, "intent")]
    assert left == [([], []), (done, []), (intended, []), (intended, ["by_name"])], users.output
    assert (job.state, job.claims, job.error) == ("succeeded", 5, "")
    assert (statements(users), indexes(users)) == ([(1, "done"), (2, "done")], [("by_name", True)])
    with users.connect() as opened:
        assert opened.execute("SELECT count(*) FROM more").fetchone() == (1,)


def test_a_reindex_whose_executor_was_killed_in_the_act_leaves_nothing_behind(users):
    with users.connect() as opened:
        opened.execute("CREATE INDEX by_id ON users (id)")
    users.write("001_reindex", "REINDEX INDEX CONCURRENTLY by_id")
    users.sync()
    job = users.start(users.plan())
    with users.connect() as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM locktender.meta")
        with users.executor(job, LEASE="2") as first:
            until(lambda: ("by_id_ccnew", False) in indexes(users))
            first.kill()
            first.communicate(timeout=30)
        until(lambda: has_expired(job))
        with users.executor(job) as second:
            until(lambda: StepLog.objects.filter(line__contains="dropping the unfinished index by_id_ccnew").exists())
            old.execute("COMMIT")
            second.communicate(timeout=60)

    job.refresh_from_db()
    assert (job.state, indexes(users)) == ("succeeded", [("by_id", True)])


def test_what_nobody_can_tell_needs_attention_after_its_executor_died(users):
    with users.connect() as opened:
        opened.execute(
            "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO users VALUES (9); COMMIT; END $$"
        )
    users.write("001_call", "-- locktender: no-transaction\nCALL fill()")
    users.sync()
    job = users.start(users.plan())

    users.execute(job, LEASE="2", LOCKTENDER_CRASH_AT="statement-acted")
    until(lambda: has_expired(job))
    job = users.execute(job)

    assert (job.state, job.error_code) == ("needs_attention", "in-doubt")
    assert "statement 1 of 001_call happened: no catalogue shows what CALL has done" in job.error
    with users.connect() as opened:
        assert opened.execute("SELECT count(*) FROM users WHERE id = 9").fetchone() == (1,)
