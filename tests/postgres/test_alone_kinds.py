"""Each kind of statement that refuses a transaction, as a successor finds it: not begun, half done, done."""

import psycopg
import pytest

from deployments.postgres.alone import running
from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import write_intent
from deployments.postgres.alone.rooms import Room
from deployments.postgres.stopped import InDoubt, StatementFailed
from tests.postgres.interrupted import (
    DETACH,
    PARTITIONED,
    after_intent,
    interrupted,
    oid_of,
    partitions,
    states,
    with_users,
)
from tests.postgres.places import LIMITS, Place, script


@pytest.fixture
def users(place) -> Place:
    return with_users(place)


# REINDEX


def test_what_reindex_left_unfinished_is_dropped_and_what_others_left_is_not(users):
    users.do("CREATE INDEX by_id ON users (id)", "CREATE INDEX by_name ON users (name)")
    users.administer(
        "CREATE INDEX old_ccnew ON users (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'old_ccnew'::regclass",
        "ALTER INDEX old_ccnew OWNER TO package_migrator",
    )
    after_intent(users, "REINDEX TABLE CONCURRENTLY users")
    users.do("CREATE INDEX by_id_ccnew ON users (id)", "CREATE INDEX by_name_ccold1 ON users (name)")
    users.administer(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('by_id_ccnew'::regclass,"
        " 'by_name_ccold1'::regclass)"
    )
    before = {oid_of(users, "by_id"), oid_of(users, "by_name")}

    desk = users.run("REINDEX TABLE CONCURRENTLY users")

    assert users.indexes() == {"by_id": True, "by_name": True, "old_ccnew": False}
    assert not before & {oid_of(users, "by_id"), oid_of(users, "by_name")}
    assert sum("dropping the unfinished index" in line for line in desk.lines) == 2


@pytest.mark.parametrize(
    "scope", ["INDEX CONCURRENTLY by_id", "TABLE CONCURRENTLY users", "SCHEMA CONCURRENTLY public"]
)
def test_a_reindex_that_a_crash_left_complete_is_not_done_twice(users, scope):
    users.do("CREATE INDEX by_id ON users (id)")
    after_intent(users, f"REINDEX {scope}")
    users.do(f"REINDEX {scope}")
    rebuilt = oid_of(users, "by_id")

    users.run(f"REINDEX {scope}")

    assert (oid_of(users, "by_id"), users.indexes()) == (rebuilt, {"by_id": True})


def test_a_reindex_that_was_not_begun_is_done(users):
    users.do("CREATE INDEX by_id ON users (id)")
    old = oid_of(users, "by_id")
    after_intent(users, "REINDEX INDEX CONCURRENTLY by_id")

    users.run("REINDEX INDEX CONCURRENTLY by_id")

    assert oid_of(users, "by_id") != old


# Partitions


@pytest.fixture
def events(place) -> Place:
    place.do(*PARTITIONED)
    return place


def test_a_partition_is_detached_and_a_second_time_is_the_servers_refusal(events):
    events.run(DETACH)
    assert partitions(events) == {"events_2026": False}

    with pytest.raises(StatementFailed, match="is not a partition"):
        events.run(DETACH, "002_again")


def test_a_detach_that_a_crash_left_pending_is_finished(events, meanwhile, eventually):
    reader = events.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events")
    other = events.connect("cut off")
    pending = meanwhile(other.execute, DETACH)
    eventually(lambda: partitions(events).get("events_2025"))
    other.cancel()
    assert isinstance(pending.exception(30), psycopg.errors.QueryCanceled)
    after_intent(events, DETACH)
    reader.execute("COMMIT")

    desk = events.run(DETACH)

    assert partitions(events) == {"events_2026": False}
    assert "001_ledger: finishing to detach events_2025, which an earlier attempt began" in desk.lines
    assert events.tables() >= {"events_2025"}


def test_a_detach_that_a_crash_left_done_is_recognised_and_one_whose_partition_is_gone_is_in_doubt(events):
    after_intent(events, DETACH)
    events.do(DETACH)
    events.run(DETACH)
    assert states(events) == ["done"]

    later = DETACH.replace("2025", "2026")
    with events.desk(job=2, fence=2) as desk:
        one = script(later, "002_later")
        sent = one.sent[0]
        Room(one, sent, desk.worker).record(
            lambda recording: write_intent(recording, one, sent, desk.worker, before=look(recording, sent.aim))
        )
    events.do("DROP TABLE events_2026")
    with pytest.raises(InDoubt, match="one of the objects that it names is not there any more"):
        events.run(later, "002_later", job=2, fence=2)


# What is dropped


def test_a_drop_that_a_crash_left_done_is_recognised(users):
    users.do("CREATE INDEX by_id ON users (id)")
    after_intent(users, "DROP INDEX CONCURRENTLY by_id")
    users.do("DROP INDEX by_id")

    users.run("DROP INDEX CONCURRENTLY by_id")

    assert (users.indexes(), states(users)) == ({}, ["done"])


def test_an_index_that_somebody_made_since_is_not_dropped_for_the_old_one(users):
    users.do("CREATE INDEX by_id ON users (id)")
    after_intent(users, "DROP INDEX CONCURRENTLY by_id")
    users.do("DROP INDEX by_id", "CREATE INDEX by_id ON users (id)")

    with pytest.raises(InDoubt, match="not the one that was to be dropped"):
        users.run("DROP INDEX CONCURRENTLY by_id")

    assert users.indexes() == {"by_id": True}


# What leaves nothing to look at


@pytest.mark.parametrize(
    "text",
    ["VACUUM users", "VACUUM (FULL, ANALYZE) users", "VACUUM", "DISCARD ALL", "CLUSTER", "REINDEX SCHEMA public"],
)
def test_what_can_be_repeated_is_sent_again_after_a_crash(users, text):
    after_intent(users, text)

    users.run(text)

    assert (states(users), users.history()) == (["done"], [("001_ledger", "forward")])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CREATE INDEX CONCURRENTLY by_name ON users (name)", "the index by_name is not there, or not valid"),
        ("DROP INDEX CONCURRENTLY by_id", "the index by_id is still there"),
    ],
)
def test_a_success_is_believed_only_when_the_catalogue_shows_it(users, monkeypatch, text, why):
    users.do("CREATE INDEX by_id ON users (id)")
    monkeypatch.setattr(running, "act", lambda *_: True)  # the server says it is done

    with pytest.raises(InDoubt, match=f"the server said it was done, but {why}"):
        users.run(text)

    assert (states(users), users.history()) == (["intent"], [])


def test_a_vacuum_that_the_server_only_warns_about_says_so(users):

    desk = users.run("VACUUM pg_authid")

    assert any("the server warns: " in line and "pg_authid" in line for line in desk.lines)


def test_vacuum_full_waits_for_its_lock_as_other_ddl_does_and_comes_through(users, meanwhile, eventually):
    reader = users.connect("report")
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM users")
    with users.desk() as desk:
        running = meanwhile(desk.run, script("VACUUM FULL users"))
        eventually(lambda: any("try 1 waited for a lock" in line for line in desk.lines))
        reader.execute("COMMIT")
        running.result(30)

    assert users.history() == [("001_ledger", "forward")]


COMMITS = "CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO users VALUES (9); COMMIT; END $$"


def test_a_procedure_that_commits_is_run_once_where_its_file_says_so_and_is_in_doubt_after_a_crash(users):
    users.do(COMMITS)
    with pytest.raises(StatementFailed, match="2D000"):
        users.run("CALL fill()", "000_undeclared")

    declared = "-- locktender: no-transaction\nCALL fill()"
    users.run(declared)
    assert users.rows("SELECT count(*) FROM users WHERE id = 9") == [(1,)]

    with interrupted(users, "-- locktender: no-transaction\nCALL  fill()", job=2, fence=2):
        pass
    users.do("DELETE FROM locktender.history")
    with pytest.raises(InDoubt, match="no catalogue shows what CALL has done"):
        users.run("-- locktender: no-transaction\nCALL  fill()", job=3, fence=3)
    assert users.rows("SELECT count(*) FROM users WHERE id = 9") == [(1,)]


def test_what_works_beside_the_application_waits_longer_than_a_lock_timeout_whatever_the_file_sets(
    users, meanwhile, eventually
):
    old = users.connect("report")
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM locktender.meta")
    text = "SET lock_timeout = 1; SET statement_timeout = 1; CREATE INDEX CONCURRENTLY a ON users (id)"
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > %s::interval"
    with users.desk() as desk:
        running = meanwhile(desk.run, script(text))
        eventually(lambda: users.rows(waits, str(2 * LIMITS.lock_timeout)))
        old.execute("COMMIT")
        running.result(30)

    assert users.indexes() == {"a": True}
