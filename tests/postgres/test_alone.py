"""Statements that refuse a transaction: what the catalogue shows decides, and no INVALID index is left behind."""

import pytest

from deployments.postgres.guard import Budget
from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import CancelledOnRequest, LockNotObtained, OverBudget, StatementFailed
from tests.postgres.places import LIMITS, Place, script
from tests.postgres.proxy import UP, Proxy

BY_NAME = "CREATE INDEX CONCURRENTLY by_name ON users (name)"
UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY by_name ON users (name)"


@pytest.fixture
def users(place) -> Place:
    place.do("CREATE TABLE users (id int, name text)", "INSERT INTO users VALUES (1, 'Dana'), (2, 'Lee')")
    return place


@pytest.fixture
def leftover(users) -> Place:
    """A place with an INVALID index by_name, as a cancelled build leaves it."""
    users.do("INSERT INTO users VALUES (3, 'Lee')")
    with users.connect() as opened, pytest.raises(Exception, match="could not create unique index"):
        opened.execute(UNIQUE)
    users.do("DELETE FROM users WHERE id = 3")
    assert users.indexes() == {"by_name": False}
    return users


def statements(place) -> list[tuple]:
    return place.rows("SELECT job, position, state FROM locktender.statement ORDER BY job, position")


def test_indexes_are_built_one_after_the_other_and_each_is_recorded(users):
    users.run(f"{BY_NAME}; CREATE INDEX CONCURRENTLY by_id ON users (id)")

    assert users.indexes() == {"by_name": True, "by_id": True}
    assert statements(users) == [(1, 1, "done"), (1, 2, "done")]
    assert users.history() == [("001_ledger", "forward")]


def test_an_index_is_dropped_and_a_missing_one_is_the_servers_refusal(users):
    users.do("CREATE INDEX by_name ON users (name)")
    users.run("DROP INDEX CONCURRENTLY by_name")
    assert users.indexes() == {}

    with pytest.raises(StatementFailed, match="SQLSTATE 42704"):
        users.run("DROP INDEX CONCURRENTLY by_name", "002_again")
    assert users.history() == [("001_ledger", "forward")]


def test_an_unfinished_index_of_an_earlier_attempt_is_dropped_and_built_anew(leftover):
    desk = leftover.run(BY_NAME)

    assert desk.lines == ["001_ledger: dropping the unfinished index by_name of an earlier attempt"]
    assert leftover.indexes() == {"by_name": True}


def test_if_not_exists_does_not_take_an_unfinished_index_for_one(leftover):
    leftover.run("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON users (name)")

    assert leftover.indexes() == {"by_name": True}


def test_an_unfinished_index_is_waited_for_while_a_reader_keeps_it_from_being_dropped(leftover, meanwhile, eventually):
    reader = leftover.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM users")
    with leftover.desk() as desk:
        running = meanwhile(desk.run, script(BY_NAME))
        eventually(lambda: leftover.sessions("query LIKE 'DROP INDEX%' AND wait_event_type = 'Lock'"))
        reader.execute("COMMIT")
        running.result(30)

    assert leftover.indexes() == {"by_name": True}


def test_an_unfinished_index_that_cannot_be_dropped_in_time_is_a_lock_not_obtained(leftover, monkeypatch):
    monkeypatch.setattr("deployments.postgres.alone.clearing.LOCK_SECONDS", 0.1)
    reader = leftover.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM users")
    limits = type(LIMITS)(LIMITS.lock_timeout, lock_retry_limit=LIMITS.lock_timeout)

    with pytest.raises(LockNotObtained, match="001_ledger waited for a lock"):
        leftover.run(BY_NAME, limits=limits)

    assert (leftover.indexes(), leftover.history()) == ({"by_name": False}, [])


def test_an_invalid_index_that_somebody_is_building_now_is_waited_for_and_not_dropped(users, meanwhile, eventually):
    reader = users.connect("report")
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    reader.execute("SELECT count(*) FROM locktender.meta")
    theirs = meanwhile(users.connect("by hand").execute, BY_NAME)
    eventually(lambda: users.indexes() == {"by_name": False})
    [(built,)] = users.rows("SELECT 'by_name'::regclass::oid::bigint")
    with users.desk() as desk:
        running = meanwhile(desk.run, script("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON users (name)"))
        eventually(lambda: any("is left alone while its table is worked on by pid" in line for line in desk.lines))
        reader.execute("COMMIT")
        theirs.result(30)
        running.result(30)

    assert users.rows("SELECT 'by_name'::regclass::oid::bigint") == [(built,)]
    assert users.indexes() == {"by_name": True}


def test_a_violated_unique_index_leaves_nothing_and_the_servers_words(users):
    users.do("INSERT INTO users VALUES (3, 'Lee')")

    with pytest.raises(StatementFailed) as refused:
        users.run(f"CREATE INDEX CONCURRENTLY by_id ON users (id); {UNIQUE}")

    told = str(refused.value)
    assert told.startswith("Statement 2 of 001_ledger (line 1) failed: could not create unique index")
    assert "SQLSTATE 23505" in told
    assert "Key (name)=(Lee) is duplicated." in told
    assert "What it did before stays in force" in told
    assert "rolled back" not in told
    assert users.indexes() == {"by_id": True}
    assert users.history() == []
    assert statements(users) == [(1, 1, "done"), (1, 2, "intent")]


def test_another_run_goes_on_after_the_statements_that_are_in_force(users):
    text = f"CREATE INDEX CONCURRENTLY by_id ON users (id); {UNIQUE}"
    users.do("INSERT INTO users VALUES (3, 'Lee')")
    with pytest.raises(StatementFailed):
        users.run(text)
    [(built,)] = users.rows("SELECT 'by_id'::regclass::oid::bigint")
    users.do("DELETE FROM users WHERE id = 3")

    users.run(text, job=2, fence=2)

    assert users.indexes() == {"by_id": True, "by_name": True}
    assert users.rows("SELECT 'by_id'::regclass::oid::bigint") == [(built,)]
    assert users.history() == [("001_ledger", "forward")]


def test_what_was_done_before_a_rollback_is_not_taken_for_done_afterwards(users):
    users.run(BY_NAME)
    with users.desk(job=2, fence=2) as desk:
        desk.run(script("DROP INDEX CONCURRENTLY by_name", direction=ROLLBACK))
    assert users.indexes() == {}

    users.run(BY_NAME, job=3, fence=3)
    with users.desk(job=4, fence=4) as desk:
        desk.run(script("DROP INDEX CONCURRENTLY by_name", direction=ROLLBACK))

    assert users.indexes() == {}
    assert [direction for _, direction in users.history()] == ["forward", "rollback"] * 2

    users.do("CREATE INDEX by_name ON users (name)")  # by somebody else
    with pytest.raises(StatementFailed, match="already exists"):
        users.run(BY_NAME, job=5, fence=5)


def test_an_index_that_somebody_else_made_is_not_taken_for_ours(users):
    users.do("CREATE INDEX by_name ON users (name)")

    with pytest.raises(StatementFailed, match="already exists"):
        users.run(BY_NAME)

    assert users.history() == []


def test_a_lost_connection_during_the_build_is_followed_by_a_look_and_one_index(users, monkeypatch):
    def rule(link, direction, data):
        if direction is UP and data.startswith(b"Q") and BY_NAME.encode() in data and not cuts:
            cuts.append(link)
            link.server.sendall(data)
            link.cut(server_too=False)
            return b""
        return data

    cuts: list = []
    with Proxy(users.url, rule) as proxy, users.desk(target=users.at(proxy.url, monkeypatch)) as desk:
        desk.run(script(BY_NAME))

    assert len(cuts) == 1
    assert desk.lines[0] == "001_ledger: the connection was lost during statement 1; looking what it left"
    assert users.indexes() == {"by_name": True}
    assert statements(users) == [(1, 1, "done")]


def test_a_cancel_ends_the_build_and_removes_what_it_left(users, meanwhile, eventually):
    old = users.connect("report")
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM locktender.meta")  # an old snapshot: the build waits for it at its very end
    with users.desk() as desk:
        running = meanwhile(desk.run, script(BY_NAME))
        eventually(lambda: users.indexes() == {"by_name": False} and users.sessions("wait_event = 'virtualxid'"))
        desk.stop.asked.set()

        with pytest.raises(CancelledOnRequest):
            running.result(30)

    assert (users.indexes(), users.history()) == ({}, [])


def test_a_build_that_holds_up_the_application_is_ended_and_the_next_attempt_clears_up(
    users, meanwhile, eventually, monkeypatch
):
    monkeypatch.setattr("deployments.postgres.alone.clearing.LOCK_SECONDS", 0.1)
    writer = users.connect("writer")
    writer.execute("BEGIN")
    writer.execute("UPDATE users SET name = 'Noor' WHERE id = 1")
    with users.desk(budget=Budget(oldest_seconds=0.1)) as desk:
        running = meanwhile(desk.run, script(BY_NAME))
        eventually(lambda: users.sessions("wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'"))
        blocked = meanwhile(users.connect("ddl").execute, "VACUUM users")  # waits behind our lock

        with pytest.raises(OverBudget, match="an unfinished index is dropped, at the latest by the next attempt"):
            running.result(30)
    assert desk.lines[-1].startswith("the unfinished index by_name could not be dropped yet")
    assert (users.indexes(), users.history()) == ({"by_name": False}, [])

    writer.execute("COMMIT")
    blocked.result(30)
    users.run(BY_NAME, job=2, fence=2)
    assert users.indexes() == {"by_name": True}


def test_a_build_ended_by_force_is_not_begun_again_when_the_budget_is_spent(users, meanwhile, eventually):
    """A session that had to be terminated looks like a lost connection; the guard's reason goes before it."""
    with users.desk() as desk:
        old = users.connect("report")
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT count(*) FROM locktender.meta")
        running = meanwhile(desk.run, script(BY_NAME))
        eventually(lambda: users.sessions("wait_event = 'virtualxid'"))
        desk.guard._refusal = OverBudget(migration="001_ledger", bill="", left="")  # noqa: SLF001
        desk.guard._cancelled_at = 1.0  # noqa: SLF001 # long ago, and it did not help

        with pytest.raises(OverBudget):
            running.result(30)

    assert not any("connection was lost" in line for line in desk.lines)
    assert users.history() == []


def test_an_index_is_found_in_the_schema_of_its_table(users):
    users.do("CREATE SCHEMA app", "CREATE TABLE app.users (name text)", "CREATE INDEX by_name ON users (id)")

    users.run("CREATE INDEX CONCURRENTLY by_name ON app.users (name)")

    assert users.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'app.by_name'::regclass") == [(True,)]
    assert users.indexes() == {"by_name": True}
