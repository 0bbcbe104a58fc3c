"""The guard and the server around us: replicas, kept WAL, disk, autovacuum, prepared transactions."""

import itertools
import uuid
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deployments.postgres.connect import Target
from deployments.postgres.guard import Budget, Ending, Outcome, look_at_server, tells_disk
from deployments.postgres.ledger import install, installation_sql
from deployments.postgres.script import Limits
from deployments.postgres.stopped import CancelledOnRequest, LockNotObtained, OverBudget
from tests.postgres.places import LIMITS, PATIENT, Place, script
from tests.postgres.replicated import replicated

MEGA = 2**20
ROLE, PASSWORD = "migrator", "of-tests-only"
# What grows is measured from the guard's first look: it has a second for that, on a machine that is busy.
WRITES = (
    "SELECT pg_sleep(1); CREATE TABLE filled AS SELECT repeat('x', 900) AS x FROM generate_series(1, 6000);"
    " SELECT pg_sleep(60)"
)
SLOWLY = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1"
WORKERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'autovacuum worker' AND query LIKE '%public.slow%'
"""
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)  # the servers run as somebody else where we are root
    with replicated(folder) as servers:
        with psycopg.connect(servers[0].superuser_url(), autocommit=True) as opened:
            opened.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
            opened.execute(
                "CREATE PROCEDURE burn(times int) LANGUAGE plpgsql AS"
                " $$ BEGIN FOR i IN 1..times LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
            )
        yield servers


@pytest.fixture
def primary(pair, monkeypatch):
    """A target on the primary, whose role may read how the server is."""
    server, _ = pair
    number = next(numbers)
    name = f"target_{number}"
    with psycopg.connect(server.superuser_url(), autocommit=True) as opened:
        opened.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        opened.execute(f"GRANT pg_monitor TO {ROLE}")
    url = make_conninfo(server.superuser_url(name), user=ROLE, password=PASSWORD)
    monkeypatch.setenv(f"PRIMARY_{number}", url)
    target = Target(database_id=number, name="shop/staging/main", connection=f"env:PRIMARY_{number}")
    place = Place(target=target, url=url, plane=uuid.uuid4(), superuser_url=server.superuser_url(name))
    install(target, installation_sql(control_plane_id=place.plane, database_id=number))
    yield place
    for session in place.opened:
        session.close()
    with psycopg.connect(server.superuser_url(), autocommit=True) as opened:
        opened.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def replay(pair, eventually):
    """Return a function that stops and resumes the replay of the standby."""

    def do(what: str) -> None:
        with psycopg.connect(pair[1].superuser_url(), autocommit=True) as opened:
            opened.execute(f"SELECT pg_wal_replay_{what}()")
            state = "paused" if what == "pause" else "not paused"
            eventually(lambda: opened.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == (state,))

    yield do
    do("resume")


def budget(**limits) -> Budget:
    return Budget(oldest_seconds=60, total_seconds=600, **limits)


def test_a_file_that_leaves_a_replica_behind_is_stopped_and_changed_nothing(primary, replay):
    replay("pause")

    with pytest.raises(OverBudget, match=r"It changed nothing.* \(a replica fell [\d,]+ bytes behind") as stopped:
        primary.run(WRITES, budget=budget(replica_bytes=2 * MEGA))

    bill = stopped.value.evidence["bill"]
    assert bill["over"]["limit"] == "replica_bytes"
    assert bill["server"]["replica"]["count"] == 1
    assert (primary.tables(), primary.history()) == (set(), [])


def test_a_replica_that_was_behind_before_stops_nothing(primary, replay):
    replay("pause")
    primary.do("CREATE TABLE before AS SELECT repeat('x', 900) AS x FROM generate_series(1, 6000)")

    desk = primary.run("CREATE TABLE small (id int)", budget=budget(replica_bytes=2 * MEGA))

    assert primary.history() == [("001_ledger", "forward")]
    assert desk.guard.bill.over is None


def test_a_file_whose_wal_is_kept_back_for_a_slot_is_stopped(primary):
    primary.administer("SELECT pg_create_physical_replication_slot('nobody_reads', true)")
    try:
        with pytest.raises(OverBudget, match=r"a replication slot kept back [\d,]+ bytes of WAL"):
            primary.run(WRITES, budget=budget(wal_bytes=2 * MEGA))
    finally:
        primary.administer("SELECT pg_drop_replication_slot('nobody_reads')")

    assert (primary.tables(), primary.history()) == (set(), [])


def test_free_disk_is_not_told_until_an_administrator_lets_the_server_tell(primary):
    with primary.connect() as opened:
        assert look_at_server(opened, tells_disk=tells_disk(opened)).free_disk_bytes is None
    primary.administer(
        "CREATE FUNCTION locktender.free_disk_bytes() RETURNS bigint LANGUAGE sql RETURN 1048576::bigint"
    )

    with pytest.raises(OverBudget, match="the server's disk had 1,048,576 bytes free"):
        primary.run("CREATE TABLE later (id int); SELECT pg_sleep(60)", budget=budget())

    assert (primary.tables(), primary.history()) == (set(), [])


def test_a_function_for_the_disk_that_fails_tells_nothing_and_stops_nothing(primary):
    primary.administer("CREATE FUNCTION locktender.free_disk_bytes() RETURNS bigint LANGUAGE sql RETURN 1 / 0")

    with primary.connect() as opened:
        assert tells_disk(opened)
        assert look_at_server(opened, tells_disk=True).free_disk_bytes is None


def test_a_role_that_may_not_see_replicas_knows_that_they_are_there_and_no_more(primary):
    primary.administer(f"REVOKE pg_monitor FROM {ROLE}")

    with primary.connect() as opened:
        seen = look_at_server(opened, tells_disk=False)

    assert [(one.seconds, one.bytes) for one in seen.replicas] == [(None, None)]
    assert not seen.is_told
    assert 0 < seen.connections < seen.most_connections == 37


def vacuumed(primary, eventually) -> None:
    """Wait for an autovacuum that works on the table slow, and does not end by itself."""
    primary.do(
        "CREATE TABLE slow AS SELECT generate_series(1, 60000) AS id",
        f"ALTER TABLE slow SET ({SLOWLY})",
        "DELETE FROM slow WHERE id % 2 = 0",
    )
    eventually(lambda: primary.rows(WORKERS))


@pytest.mark.parametrize("text", ["ALTER TABLE slow ADD points int", "VACUUM FULL slow"])  # the second runs alone
def test_an_autovacuum_in_the_way_is_made_to_yield_although_our_patience_is_shorter_than_the_servers(
    primary, eventually, text
):
    vacuumed(primary, eventually)
    few = Limits(LIMITS.lock_timeout, lock_retry_limit=timedelta(0))  # waiting for it is no failure

    with primary.desk(limits=few) as desk:
        desk.run(script(text))

    assert "001_ledger: an autovacuum of public.slow was in the way, and has yielded" in desk.lines
    assert primary.history() == [("001_ledger", "forward")]


def test_an_autovacuum_against_wraparound_is_waited_for_and_nobody_ends_it(pair, primary, meanwhile, eventually):
    primary.do(
        "CREATE TABLE slow (id int)",
        f"ALTER TABLE slow SET ({SLOWLY.replace('threshold = 1', 'insert_threshold = -1')},"
        " autovacuum_freeze_max_age = 100000, autovacuum_analyze_threshold = 2000000000)",
        "INSERT INTO slow SELECT generate_series(1, 60000)",
    )
    with psycopg.connect(pair[0].superuser_url(), autocommit=True) as opened:
        opened.execute("CALL burn(110000)")
    eventually(lambda: primary.rows(f"{WORKERS} AND query LIKE '%wraparound%'"))
    pid = primary.rows(WORKERS)[0][0]
    (started,) = primary.rows("SELECT backend_start FROM pg_stat_activity WHERE pid = %s", pid)[0]
    brief = Limits(LIMITS.lock_timeout, lock_retry_limit=timedelta(0))
    with primary.desk(limits=brief, budget=PATIENT) as desk:
        running = meanwhile(desk.run, script("ALTER TABLE slow ADD points int"))
        eventually(lambda: sum("against wraparound: it is waited for" in line for line in desk.lines) >= 2)

        desk.guard.endings.ask(Ending(1, pid, started))
        eventually(lambda: not desk.guard.endings.unanswered())

        assert desk.guard.endings.outcomes() == [(Ending(1, pid, started), Outcome.ANTI_WRAPAROUND)]
        assert primary.rows(WORKERS)[0][0] == pid
        assert not running.done()
        desk.stop.asked.set()  # it would take hours
        with pytest.raises(CancelledOnRequest):
            running.result(30)
    assert primary.history() == []


def test_a_prepared_transaction_in_the_way_is_named(primary):
    primary.do("CREATE TABLE ledger (id int)")
    forgotten = primary.connect("billing")
    forgotten.execute("BEGIN")
    forgotten.execute("INSERT INTO ledger VALUES (1)")
    forgotten.execute("PREPARE TRANSACTION 'forgotten'")
    limits = Limits(timedelta(milliseconds=300), lock_retry_limit=timedelta(0))

    with pytest.raises(LockNotObtained, match=r"prepared transaction forgotten \(migrator, prepared"):
        primary.run("ALTER TABLE ledger ADD points int", limits=limits)

    forgotten.execute("ROLLBACK PREPARED 'forgotten'")
    assert primary.history() == []


def test_a_session_of_a_role_that_ours_may_not_end_stays(pair, primary, meanwhile, eventually):
    primary.do("CREATE TABLE ledger (id int)")
    with psycopg.connect(primary.superuser_url) as admin, primary.desk() as desk:
        admin.execute("SELECT * FROM ledger")
        started = admin.execute("SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()[0]
        running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int"))
        eventually(lambda: desk.guard.bill.blockers)

        desk.guard.endings.ask(Ending(5, admin.info.backend_pid, started))
        eventually(lambda: not desk.guard.endings.unanswered())

        assert [outcome for _, outcome in desk.guard.endings.outcomes()] == [Outcome.NOT_PERMITTED]
        assert admin.execute("SELECT 1").fetchone() == (1,)
        admin.rollback()
        running.result(30)
