"""A restored database takes the name of the application's: what it then has, what is kept, and who can write where."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deployments.postgres.connect import Holder, session
from deployments.postgres.errors import FenceLost
from deployments.postgres.ledger import raise_fence, require_ours
from deployments.postgres.swap.errors import SwapBlocked, SwapNotAllowed, SwapUnknown
from deployments.postgres.swap.kept import drop_kept, take_back
from deployments.postgres.swap.ledger import make_ready, prepare
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.server import State, look, maintenance, require_allowed
from deployments.postgres.swap.writes import allow_writes, stop_writes
from tests.postgres.places import Place
from tests.postgres.swaps import Bench, able, backed_up, swapper  # noqa: F401 # fixtures


@pytest.fixture
def bench(able: Place, tmp_path: Path):  # noqa: F811
    """A place with a thousand rows, settings and grants of its own, and a copy of just that."""
    place = able
    name = place.rows("SELECT current_database()")[0][0]
    place.do(
        "CREATE TABLE ledger (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, points int)",
        "INSERT INTO ledger (points) SELECT number FROM generate_series(1, 1000) number",
        f"ALTER DATABASE \"{name}\" SET work_mem = '7MB'",
        f"COMMENT ON DATABASE \"{name}\" IS 'of the shop'",
        f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC',
    )
    made = Bench(place, tmp_path / "backup")
    made.copy()
    write_later(place)
    yield made
    for opened in place.opened:
        opened.close()
    made.clean()


def write_later(place: Place) -> None:
    place.do("UPDATE ledger SET points = 0 WHERE id <= 10", "CREATE TABLE later (id int)")


def points(place: Place) -> int:
    return place.rows("SELECT sum(points) FROM ledger")[0][0]


def test_after_the_swap_everything_is_as_at_the_snapshot_under_the_same_name(bench: Bench):
    swap = bench.swap()
    bench.place.do("DROP TABLE later", "UPDATE ledger SET points = id")
    bench.manifest = backed_up(bench.place, bench.folder)
    write_later(bench.place)
    bench.clean()

    done = bench.whole(swap)

    place = bench.place
    assert points(place) == 500_500
    assert place.tables() == {"ledger"}
    assert place.rows("SHOW work_mem") == [("7MB",)]
    comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    assert place.rows(comment) == [("of the shop",)]
    assert bench.databases() == {bench.name: True, swap.names.kept: False}
    assert done.kept.oid != done.production.oid
    with session(place.target) as opened:
        assert require_ours(opened, place.target, control_plane_id=place.plane).database_name == bench.name


def test_nobody_can_write_with_an_earlier_fence_into_the_new_one_and_into_the_old_one_comes_nobody(bench: Bench):
    bench.place.do("UPDATE locktender.fence SET fence = 4")  # of now; that in the backup is 0

    bench.whole(bench.swap(fence=5))

    stale = Holder(run=6, job=6, fence=4)
    with session(bench.place.target) as opened, pytest.raises(FenceLost):
        raise_fence(opened, bench.place.target, stale)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting"):
        psycopg.connect(make_conninfo(bench.place.superuser_url, dbname=bench.swap().names.kept))


def test_the_history_is_that_of_the_backup_and_not_of_what_was_applied_later(bench: Bench):
    bench.place.run("CREATE TABLE note (id int)", "002_note", job=3, fence=3)

    bench.whole(bench.swap())

    assert bench.place.history() == []
    assert "note" not in bench.place.tables()


def test_the_undo_of_the_undo_is_the_same_swap_and_brings_back_every_later_write(bench: Bench):
    first = bench.swap()
    done = bench.whole(first)
    bench.place.do("DELETE FROM ledger")
    second = bench.swap(job=8, fence=6)

    bench.take_over(second)
    take_back(second, name=done.kept.name, oid=done.kept.oid)
    back = bench.exchange(second)

    assert points(bench.place) == 500_500 - 55
    assert bench.place.tables() == {"ledger", "later"}
    assert (back.production.oid, back.kept.oid) == (done.kept.oid, done.production.oid)
    assert bench.databases() == {bench.name: True, second.names.kept: False}
    assert drop_kept(second, name=back.kept.name, oid=back.kept.oid)
    assert bench.databases() == {bench.name: True}
    assert not drop_kept(second, name=back.kept.name, oid=back.kept.oid)


def test_a_kept_database_that_somebody_opened_again_is_not_dropped(bench: Bench):
    done = bench.whole(bench.swap())
    bench.place.administer(f'ALTER DATABASE "{done.kept.name}" ALLOW_CONNECTIONS true')

    assert not drop_kept(bench.swap(), name=done.kept.name, oid=done.kept.oid)

    assert done.kept.name in bench.databases()


def test_a_successor_takes_the_ready_database_and_the_earlier_executor_can_swap_nothing(bench: Bench):
    stale, successor = bench.swap(fence=5), bench.swap(fence=6)
    bench.take_over(stale)
    bench.ready(stale)

    found = bench.take_over(successor)

    assert (found.state, found.fence) == (State.READY, 6)
    with pytest.raises(SwapUnknown):
        bench.exchange(stale)
    assert "later" in bench.place.tables()
    bench.exchange(successor)
    assert "later" not in bench.place.tables()


def test_an_executor_that_was_overtaken_makes_nothing_ready(bench: Bench):
    stale, successor = bench.swap(fence=5), bench.swap(fence=6)
    bench.take_over(stale)
    bench.build(stale)
    prepare(stale, bench.building(stale), control_plane_id=bench.place.plane, known=list)
    with session(bench.place.target) as opened:
        raise_fence(opened, bench.place.target, successor.holder)  # the successor has come so far

    with pytest.raises(FenceLost):
        make_ready(stale, bench.building(stale))

    found = bench.take_over(successor)
    assert found.state is State.NOTHING
    assert bench.databases() == {bench.name: True}  # what was half made is dropped


def test_a_swap_under_way_is_ended_by_a_successor_and_never_lands_after_it(bench: Bench, monkeypatch, meanwhile):
    """The earlier one hangs in its open transaction, with both databases renamed and nothing committed."""
    from threading import Event  # noqa: PLC0415

    from deployments.postgres.swap import exchange as swapping  # noqa: PLC0415

    stale, successor = bench.swap(fence=5), bench.swap(fence=6)
    bench.take_over(stale)
    bench.ready(stale)
    there, go_on = Event(), Event()

    def hang(name: str) -> None:
        if name == "swap-renamed":
            there.set()
            go_on.wait(20)

    monkeypatch.setattr(swapping, "crash_point", hang)
    work = meanwhile(bench.exchange, stale)
    assert there.wait(20)

    found = bench.take_over(successor)

    go_on.set()
    with pytest.raises(SwapBlocked):
        work.result(30)
    assert (found.state, found.fence) == (State.READY, 6)
    assert bench.databases() == {bench.name: True, successor.mine: True}
    assert "later" in bench.place.tables()


def test_a_prepared_transaction_is_named_and_nobody_is_ended_for_it(bench: Bench):
    bench.take_over(bench.swap())
    bench.ready(bench.swap())
    app = bench.place.connect()
    other = bench.place.connect()
    other.execute("BEGIN")
    other.execute("INSERT INTO later VALUES (1)")
    other.execute("PREPARE TRANSACTION 'of the shop'")

    with pytest.raises(SwapBlocked, match="of the shop"):
        bench.exchange(bench.swap())

    assert app.execute("SELECT 1").fetchone() == (1,)
    other.execute("ROLLBACK PREPARED 'of the shop'")


def test_a_superusers_session_is_named_before_anybody_is_ended(bench: Bench):
    bench.take_over(bench.swap())
    bench.ready(bench.swap())
    app = bench.place.connect()
    with psycopg.connect(bench.place.superuser_url, application_name="the administrator") as root:
        with pytest.raises(SwapBlocked, match=r"the administrator.*only a superuser"):
            bench.exchange(bench.swap())
        assert root.execute("SELECT 1").fetchone() == (1,)
    assert app.execute("SELECT 1").fetchone() == (1,)


def test_sessions_are_ended_and_come_back_to_the_new_database(bench: Bench):
    bench.take_over(bench.swap())
    bench.ready(bench.swap())
    app = bench.place.connect()

    done = bench.exchange(bench.swap())

    assert done.ended >= 1
    with pytest.raises(psycopg.OperationalError):
        app.execute("SELECT 1")
    assert bench.place.connect().execute("SELECT sum(points) FROM ledger").fetchone() == (500_500,)


def test_writes_are_stopped_for_new_sessions_and_what_stopped_them_is_gone_after_the_swap(bench: Bench):
    swap = bench.swap()
    bench.take_over(swap)
    app = bench.place.connect()

    ended = stop_writes(swap)

    assert ended
    with pytest.raises(psycopg.OperationalError):
        app.execute("SELECT 1")
    reader = bench.place.connect()
    assert reader.execute("SELECT count(*) FROM ledger").fetchone() == (1000,)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute("DELETE FROM ledger")
    bench.ready(swap)
    done = bench.exchange(swap)
    bench.place.do("INSERT INTO ledger (points) VALUES (1)")
    query = "SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = %s"
    assert "read_only" not in str(bench.place.rows(query, done.kept.oid))


def test_a_later_executor_lets_the_application_write_again_before_anything_else(bench: Bench):
    bench.take_over(bench.swap(fence=5))
    stop_writes(bench.swap(fence=5))

    bench.take_over(bench.swap(fence=6))

    bench.place.do("INSERT INTO ledger (points) VALUES (1)")
    assert any("allowed again" in line for line in bench.lines)


def test_who_stopped_writes_for_another_reason_also_undoes_it(bench: Bench):
    bench.take_over(bench.swap())
    bench.place.administer(f'ALTER DATABASE "{bench.name}" SET default_transaction_read_only = on')

    assert stop_writes(bench.swap()) is None
    assert not allow_writes(bench.swap())

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        bench.place.do("DELETE FROM ledger")


def test_a_pooler_is_told_before_and_after_and_also_when_nothing_came_of_it(bench: Bench, tmp_path):
    told = tmp_path / "told"
    command = tmp_path / "pooler"
    command.write_text(f"#!/bin/sh\ncat >> '{told}'\necho >> '{told}'\n")
    command.chmod(0o755)
    swap = bench.swap()
    bench.take_over(swap)
    bench.ready(swap)

    bench.place.connect()

    bench.exchange(swap, pooler=Pooler(command))

    assert [line.split('"')[3] for line in told.read_text().splitlines()] == ["before", "after"]


def test_a_role_that_may_not_swap_is_told_what_to_run(place: Place, tmp_path):
    bench = Bench(place, tmp_path, None)  # type: ignore[arg-type]
    with maintenance(bench.swap(), of=0) as opened, pytest.raises(SwapNotAllowed) as refused:
        require_allowed(opened, bench.swap())

    assert "ALTER ROLE package_migrator CREATEDB;" in str(refused.value)
    assert "GRANT pg_signal_backend TO package_migrator;" in str(refused.value)


def test_a_database_that_somebody_renamed_by_hand_is_left_alone(bench: Bench):
    swap = bench.swap()
    bench.take_over(swap)
    bench.ready(swap)
    bench.place.administer(f'CREATE DATABASE "{swap.names.kept}"')

    with maintenance(swap, of=0) as opened, pytest.raises(SwapUnknown, match=swap.names.kept):
        look(opened, swap)
