"""What a session of ours does: as the server tells it, phase by phase, and nothing where it tells nothing."""

import pytest

from deployments.postgres import progress
from deployments.postgres.progress import Doing, Looking, look, waits_for
from tests.postgres.places import Place, script

ROWS = 20_000
OURS = "locktender/run-1/job-1/fence-1"


@pytest.fixture
def ledger(place) -> Place:
    place.do(
        "CREATE TABLE ledger (id int, points int)",
        f"INSERT INTO ledger SELECT n, n FROM generate_series(1, {ROWS}) n",
        "ANALYZE ledger",
    )
    return place


@pytest.fixture
def doing(ledger):
    """Return a function that gives what the session `pid` does, None while it tells nothing."""
    opened = ledger.connect("locktender/guard")

    def ask(pid: int) -> Doing | None:
        seen = look(opened, pid=pid, name=OURS)
        return seen[0] if seen else None

    return ask


def test_an_index_that_waits_for_writers_says_so_and_how_many_are_left(ledger, meanwhile, eventually, doing):
    writer, builder = ledger.connect(), ledger.connect(OURS)
    writer.execute("BEGIN")
    writer.execute("INSERT INTO ledger VALUES (0, 0)")
    pid = builder.info.backend_pid
    building = meanwhile(builder.execute, "CREATE INDEX CONCURRENTLY ledger_points ON ledger (points)")
    eventually(lambda: doing(pid).wait == "lock")

    seen = doing(pid)
    writer.execute("COMMIT")
    building.result(60)

    assert (seen.command, seen.relation) == ("CREATE INDEX CONCURRENTLY", "public.ledger")
    assert seen.phase == "waits for writers before it builds"
    assert (seen.done, seen.total, seen.unit, seen.share) == (0, 1, "transactions", 0)
    assert seen.event == "Lock/virtualxid"
    assert doing(pid).phase == ""


def test_an_index_under_way_says_how_many_bytes_of_its_table_are_read(ledger, meanwhile, eventually, doing):
    """A function in the index holds it up in the middle of its table."""
    ledger.do(
        "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        f" $$ BEGIN IF n = {ROWS} THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN n; END $$"
    )
    holder, builder = ledger.connect(), ledger.connect(OURS)
    holder.execute("SELECT pg_advisory_lock(7)")
    builder.execute("SET max_parallel_maintenance_workers = 0")
    pid = builder.info.backend_pid
    building = meanwhile(builder.execute, "CREATE INDEX ledger_slow ON ledger (slow(points))")
    eventually(lambda: doing(pid).wait == "lock")

    seen = doing(pid)
    holder.execute("SELECT pg_advisory_unlock(7)")
    building.result(60)

    ((size,),) = ledger.rows("SELECT pg_relation_size('ledger')")
    assert (seen.command, seen.phase, seen.unit) == ("CREATE INDEX", "reads the table", "bytes")
    assert seen.total == size
    assert 0 < seen.done <= size
    assert not seen.is_estimate


def test_a_vacuum_full_that_waits_for_its_lock_tells_no_progress(ledger, meanwhile, eventually, doing):
    reader, rewriter = ledger.connect(), ledger.connect(OURS)
    reader.execute("BEGIN")
    reader.execute("SELECT id FROM ledger LIMIT 1")
    pid = rewriter.info.backend_pid
    rewriting = meanwhile(rewriter.execute, "VACUUM FULL ledger")
    eventually(lambda: doing(pid).wait == "lock")

    seen = doing(pid)
    reader.execute("COMMIT")
    rewriting.result(60)

    assert (seen.phase, seen.done, seen.total, seen.share) == ("", None, None, None)
    assert seen.event == "Lock/relation"
    assert seen.seconds is not None


def test_a_vacuum_full_counts_what_it_writes(ledger, meanwhile, eventually, doing):
    """The index it builds anew waits: what is counted is not a share of the statement, and is not made one."""
    ledger.do(
        "CREATE FUNCTION held(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        f" $$ BEGIN IF n = {ROWS} THEN PERFORM pg_advisory_xact_lock(8); END IF; RETURN n; END $$",
        "CREATE INDEX ledger_held ON ledger (held(points))",
    )
    holder, rewriter = ledger.connect(), ledger.connect(OURS)
    holder.execute("SELECT pg_advisory_lock(8)")
    pid = rewriter.info.backend_pid
    rewriting = meanwhile(rewriter.execute, "VACUUM FULL ledger")
    eventually(lambda: doing(pid).wait == "lock")

    seen = doing(pid)
    holder.execute("SELECT pg_advisory_unlock(8)")
    rewriting.result(60)

    assert (seen.command, seen.relation) == ("VACUUM FULL", "public.ledger")
    assert (seen.phase, seen.done, seen.total) == ("builds the indexes anew", 0, None)
    assert seen.share is None


def test_a_copy_that_its_client_holds_up_counts_rows_and_bytes(ledger, eventually, doing):
    client = ledger.connect(OURS)
    pid = client.info.backend_pid
    with client.cursor().copy("COPY ledger FROM STDIN") as copy:
        for _ in range(50):
            copy.write("1\t1\n" * 10_000)  # more than fits the buffers on the way
        eventually(lambda: (seen := doing(pid)).wait == "client" and (seen.done or 0) > ROWS)
        seen = doing(pid)

    assert (seen.command, seen.relation, seen.phase) == ("COPY FROM", "public.ledger", "copies rows")
    assert (seen.unit, seen.total, seen.share) == ("rows", None, None)
    assert seen.size >= 4 * ROWS


def test_a_copy_out_is_measured_by_the_planners_estimate_and_says_so(ledger, meanwhile, eventually, doing):
    ledger.do(f"INSERT INTO ledger SELECT 1, 1 FROM generate_series(1, {50 * ROWS})", "ANALYZE ledger")
    client = ledger.connect(OURS)
    pid = client.info.backend_pid
    with client.cursor().copy("COPY ledger TO STDOUT") as copy:
        copy.read()
        eventually(lambda: doing(pid).wait == "client")  # the buffers are full, and nobody takes anything
        seen = doing(pid)
        for _ in copy:
            pass

    assert seen.command == "COPY TO"
    assert seen.is_estimate
    assert seen.total == pytest.approx(51 * ROWS, rel=0.1)
    assert 0 < seen.done < seen.total
    assert seen.share < 1
    assert seen.size > 0


def test_a_rewrite_has_no_counters_and_none_are_made_up(ledger, meanwhile, eventually, doing):
    ledger.do(
        "CREATE FUNCTION stop() RETURNS int LANGUAGE plpgsql VOLATILE AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(9); RETURN 1; END $$"
    )
    holder, rewriter = ledger.connect(), ledger.connect(OURS)
    holder.execute("SELECT pg_advisory_lock(9)")
    pid = rewriter.info.backend_pid
    rewriting = meanwhile(rewriter.execute, "ALTER TABLE ledger ADD COLUMN stopped int DEFAULT stop()")
    eventually(lambda: doing(pid).wait == "lock")

    seen = doing(pid)
    holder.execute("SELECT pg_advisory_unlock(9)")
    rewriting.result(60)

    assert (seen.command, seen.phase, seen.done, seen.total, seen.share) == ("", "", None, None, None)


def test_sessions_of_a_dump_are_told_apart_from_those_of_others(ledger):
    """Of a dump every session that copies is told; who only waits to be asked is not."""
    names = (OURS, OURS, "shop")
    clients = [ledger.connect(name) for name in names]
    ledger.connect(OURS)  # it copies nothing
    copies = [one.cursor().copy("COPY ledger FROM STDIN") for one in clients]
    for one in copies:
        one.__enter__()

    seen = look(ledger.connect("locktender/guard"), pid=None, name=OURS)

    for one in copies:
        one.__exit__(None, None, None)
    assert sorted(one.pid for one in seen) == sorted(one.info.backend_pid for one in clients[:2])


@pytest.mark.parametrize(
    ("columns", "wait"),
    [
        (("active", None, None), "cpu"),
        (("active", "Lock", "relation"), "lock"),
        (("active", "IO", "DataFileRead"), "read"),
        (("active", "IO", "DataFileExtend"), "write"),
        (("active", "IO", "WALSync"), "write"),
        (("active", "IO", "AioIoCompletion"), "server"),
        (("active", "Client", "ClientRead"), "client"),
        (("active", "Timeout", "VacuumDelay"), "pause"),
        (("active", "LWLock", "WALWrite"), "server"),
        (("active", "IPC", "ParallelFinish"), "server"),
        (("idle in transaction", "Client", "ClientRead"), "statement"),
        ((None, None, None), "not-told"),
    ],
)
def test_what_a_session_waits_for_is_told_in_a_word(columns, wait):
    assert waits_for(*columns) == wait


def test_of_the_statement_before_nothing_is_told_of_this_one(ledger, monkeypatch):
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.0)
    client, opened, looking = ledger.connect(OURS), ledger.connect("locktender/guard"), Looking()

    looking.look(opened, pid=client.info.backend_pid, name=OURS)
    seen = looking.seen
    looking.forget()

    assert [one.pid for one in seen] == [client.info.backend_pid]
    assert looking.seen == ()


def test_the_server_is_asked_at_most_once_a_second(ledger, monkeypatch):
    asked = []
    monkeypatch.setattr(progress, "look", lambda *_, **__: asked.append(1) or [])
    monkeypatch.setattr(progress.time, "monotonic", iter([100.0, 100.9, 101.0]).__next__)
    looking, opened = Looking(), ledger.connect()

    for _ in range(3):
        looking.look(opened, pid=1, name=OURS)

    assert len(asked) == 2


def test_the_guard_looks_while_it_watches(ledger, meanwhile, eventually):
    with ledger.desk() as desk:
        writer = ledger.connect()
        writer.execute("BEGIN")
        writer.execute("INSERT INTO ledger VALUES (0, 0)")
        building = meanwhile(
            desk.run, script("CREATE INDEX CONCURRENTLY ledger_points ON ledger (points)", "002_index")
        )
        eventually(lambda: any(one.phase for one in desk.guard.looking.seen))
        seen = desk.guard.looking.seen
        writer.execute("COMMIT")
        building.result(60)

    assert [one.phase for one in seen] == ["waits for writers before it builds"]


def test_an_answer_that_is_refused_stops_nothing(ledger, monkeypatch):
    """What is only shown is no reason to end a migration; a session that is lost is."""
    monkeypatch.setattr(progress, "LOOK", "SELECT 1 / 0 WHERE %(pid)s IS NOT NULL AND %(name)s <> '' AND %(most)s > 0")
    opened, looking = ledger.connect(), Looking()

    looking.look(opened, pid=1, name=OURS)

    assert looking.seen == ()
