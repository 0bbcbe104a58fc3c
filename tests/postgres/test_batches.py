"""Batched data changes: every row once, in the order of the key, with the watermark in the batch's transaction."""

from collections.abc import Callable

import pytest

from deployments.postgres.batches import run as batches
from deployments.postgres.batches.keys import BatchKeyUnusable
from deployments.postgres.batches.ledger import UPGRADE, TargetSchemaOlder
from deployments.postgres.errors import FenceLost
from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import CancelledOnRequest, PausedOnRequest, StatementFailed
from tests.postgres.places import Place, script
from tests.postgres.proxy import UP, Proxy

BY_ID = "-- locktender: batch table=users key=id size=10\n"
RAISE = BY_ID + "UPDATE users SET visits = visits + 1"


@pytest.fixture
def users(place) -> Place:
    """A hundred users; `visits` counts how often a row was changed."""
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY, visits int NOT NULL DEFAULT 0, name text)",
        "INSERT INTO users SELECT n, 0, 'user ' || n FROM generate_series(1, 100) n",
        "ANALYZE users",
    )
    return place


@pytest.fixture
def at(monkeypatch) -> Callable[[str, int, Callable[[], object]], None]:
    """Return a function that has something done when the batches come to a named place the n-th time."""

    def arrange(name: str, nth: int, act: Callable[[], object]) -> None:
        def reached(place: str) -> None:
            seen.append(place)
            if place == name and seen.count(name) == nth:
                act()

        seen: list[str] = []
        monkeypatch.setattr(batches, "crash_point", reached)

    return arrange


def visits(place) -> list[tuple[int, int]]:
    """Return how many rows have been changed how often."""
    return place.rows("SELECT visits, count(*) FROM users GROUP BY 1 ORDER BY 1")


def standing(place) -> list[tuple]:
    return place.rows("SELECT job, position, keys, rows, batches, done FROM locktender.batch ORDER BY job, position")


def test_every_row_is_changed_once_in_small_transactions_with_a_watermark_each(users):
    users.run(RAISE)

    assert visits(users) == [(1, 100)]
    assert standing(users) == [(1, 1, 100, 100, 10, True)]
    assert users.rows("SELECT watermark, last_key FROM locktender.batch") == [(["100"], ["100"])]
    assert users.rows("SELECT count(DISTINCT xmin::text) FROM users") == [(10,)]
    assert users.rows("SELECT position, state FROM locktender.statement") == [(1, "done")]
    assert users.history() == [("001_ledger", "forward")]


def test_a_condition_chooses_rows_and_every_key_is_still_gone_through(users):
    desk = users.run(BY_ID + "DELETE FROM users u WHERE id % 4 = 0 OR name = 'user 1'")

    assert users.rows("SELECT count(*) FROM users") == [(74,)]
    assert standing(users) == [(1, 1, 100, 26, 10, True)]
    assert "statement 1 changed 26 rows in 10 batches" in desk.lines[-1]


def test_rows_are_copied_by_the_key_of_the_table_they_come_from(users):
    users.do("CREATE TABLE names (name text, visits int)")

    users.run(BY_ID + "INSERT INTO names SELECT name, visits FROM users WHERE id > 50")

    assert users.rows("SELECT count(*), count(DISTINCT name) FROM names") == [(50, 50)]
    assert standing(users) == [(1, 1, 100, 50, 10, True)]


def test_a_key_of_several_columns_and_types_is_gone_through_in_its_order(place):
    place.do(
        'CREATE TABLE "Seen" (tenant text, at timestamptz, "no" int, visits int DEFAULT 0,'
        ' PRIMARY KEY (tenant, at, "no"))',
        "INSERT INTO \"Seen\" SELECT 'it''s ' || n % 3, now() - n % 7 * interval '1 day 0.000001 s', n"
        " FROM generate_series(1, 100) n",
    )

    place.run('-- locktender: batch table="Seen" key=tenant,at,"no" size=7\nUPDATE "Seen" SET visits = visits + 1')

    assert place.rows('SELECT visits, count(*) FROM "Seen" GROUP BY 1') == [(1, 100)]
    assert place.rows("SELECT keys, rows, batches FROM locktender.batch") == [(100, 100, 15)]


def test_a_partitioned_table_and_an_empty_one_are_gone_through_too(place):
    place.do(
        "CREATE TABLE users (id int PRIMARY KEY, visits int DEFAULT 0) PARTITION BY RANGE (id)",
        "CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (15)",
        "CREATE TABLE users_2 PARTITION OF users FOR VALUES FROM (15) TO (100)",
        "CREATE TABLE nobody (id int PRIMARY KEY, visits int)",
        "INSERT INTO users SELECT generate_series(1, 30)",
    )
    place.run(f"{RAISE};\n-- locktender: batch table=nobody key=id size=5\nUPDATE nobody SET visits = 0")

    assert visits(place) == [(1, 30)]
    assert standing(place) == [(1, 1, 30, 30, 3, True), (1, 2, 0, 0, 0, True)]


def test_rows_that_come_behind_the_last_key_of_the_beginning_are_left_alone(users, at):
    at("batch-committed", 2, lambda: users.do("INSERT INTO users VALUES (101), (1000)"))

    users.run(RAISE.replace("size=10", "size=30"))

    assert visits(users) == [(0, 2), (1, 100)]


@pytest.mark.parametrize(("how", "stopped"), [("cancel", CancelledOnRequest), ("pause", PausedOnRequest)])
def test_it_rests_between_two_batches_and_another_run_goes_on_without_touching_a_row_twice(users, at, how, stopped):
    with users.desk() as desk:
        stop = {"cancel": desk.stop.asked.set, "pause": lambda: setattr(desk.stop, "pause", True)}
        at("batch-committed", 4, stop[how])
        with pytest.raises(stopped):
            desk.run(script(RAISE))
    assert (visits(users), users.history()) == ([(0, 60), (1, 40)], [])
    assert standing(users) == [(1, 1, 40, 40, 4, False)]

    desk = users.run(RAISE, job=2, fence=2)

    assert desk.lines[0] == "001_ledger: going on after 40 rows in 4 batches"
    assert visits(users) == [(1, 100)]
    assert standing(users)[1] == (2, 1, 100, 100, 10, True)


def test_a_statement_that_was_changed_begins_anew_and_says_what_the_other_has_done(users, at):
    with users.desk() as desk, pytest.raises(CancelledOnRequest):
        at("batch-committed", 4, desk.stop.asked.set)
        desk.run(script(RAISE))

    desk = users.run(BY_ID + "UPDATE users SET visits = 7", job=2, fence=2)

    assert desk.lines[0] == "001_ledger: an earlier attempt changed 40 rows with another text of this statement"
    assert visits(users) == [(7, 100)]


def test_what_was_done_before_a_rollback_is_done_again_afterwards(users):
    back = BY_ID + "UPDATE users SET visits = visits - 1"
    for job in (1, 3):
        users.run(RAISE, job=job, fence=job)
        assert visits(users) == [(1, 100)]
        with users.desk(job=job + 1, fence=job + 1) as desk:
            desk.run(script(back, direction=ROLLBACK))
        assert visits(users) == [(0, 100)]

    assert [direction for _, direction in users.history()] == ["forward", "rollback"] * 2


def test_a_number_of_a_job_that_is_given_out_again_does_not_find_the_rows_of_the_other_one(users):
    users.run(RAISE)
    users.do("DELETE FROM locktender.statement", "DELETE FROM locktender.history WHERE direction = 'forward'")
    users.do(
        "INSERT INTO locktender.history (run, job, fence, migration, direction, checksum, script_sha256, statements)"
        " VALUES (9, 9, 9, '001_ledger', 'rollback', '', '', 1)"
    )

    users.run(RAISE, fence=10)

    assert visits(users) == [(2, 100)]


def test_a_predecessor_that_wakes_up_can_write_nothing_more(users, at):
    def successor() -> None:
        with users.desk(fence=2) as desk, pytest.raises(PausedOnRequest):
            at("batch-committed", 1, lambda: setattr(desk.stop, "pause", True))
            desk.run(script(RAISE))

    with users.desk() as old:
        at("batch-committed", 3, successor)
        with pytest.raises(FenceLost):
            old.run(script(RAISE))

    assert visits(users) == [(0, 60), (1, 40)]
    assert standing(users) == [(1, 1, 40, 40, 4, False)]
    assert users.rows("SELECT fence FROM locktender.batch") == [(2,)]


def test_a_batch_that_the_server_refuses_is_rolled_back_alone_and_named(users):
    users.do("ALTER TABLE users ADD CONSTRAINT few CHECK (id < 55 OR visits < 1)")

    with pytest.raises(StatementFailed) as refused:
        users.run(RAISE)

    assert str(refused.value).startswith("Statement 1 of 001_ledger (line 2) failed: new row for relation")
    assert "another run goes on after the last batch" in str(refused.value)
    assert (visits(users), standing(users)) == ([(0, 50), (1, 50)], [(1, 1, 50, 50, 5, False)])


def test_a_deferred_constraint_is_checked_at_the_end_of_each_batch(users):
    users.do(
        "CREATE TABLE ranks (id int PRIMARY KEY)",
        "INSERT INTO ranks VALUES (0)",
        "ALTER TABLE users ADD COLUMN rank int REFERENCES ranks DEFERRABLE INITIALLY DEFERRED",
    )
    with pytest.raises(StatementFailed, match="violates foreign key constraint"):
        users.run(BY_ID + "UPDATE users SET rank = id / 50")

    assert users.rows("SELECT count(rank) FROM users") == [(40,)]


def cut_at(text: bytes, nth: int, *, after: bool):
    """Return a rule for a proxy that cuts the line at the n-th message with this text; `after` it was answered."""
    seen: list[object] = []

    def rule(link, direction, data):
        if direction is UP and text in data:
            seen.append(link)
            if len(seen) == nth:
                if after:
                    link.server.sendall(data)
                link.cut(server_too=False)
                return b""
        return data

    return rule


@pytest.mark.parametrize("after", [True, False], ids=["and it arrives", "and it does not"])
@pytest.mark.parametrize("text", [b"COMMIT", b"UPDATE users"])
def test_a_connection_that_is_cut_loses_no_batch_and_doubles_none(users, monkeypatch, text, after):
    cut = cut_at(text, 4, after=after)
    with Proxy(users.url, cut) as proxy, users.desk(target=users.at(proxy.url, monkeypatch)) as desk:
        desk.run(script(RAISE))

    assert any("the connection was lost in a batch" in line for line in desk.lines)
    assert visits(users) == [(1, 100)]
    assert standing(users) == [(1, 1, 100, 100, 10, True)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users DROP CONSTRAINT users_pkey; CREATE UNIQUE INDEX ON users (id) WHERE id > 0",
        "ALTER TABLE users DROP CONSTRAINT users_pkey; CREATE UNIQUE INDEX ON users (id, visits)",
        "ALTER TABLE users DROP CONSTRAINT users_pkey; CREATE INDEX ON users (id)",
        "ALTER TABLE users DROP CONSTRAINT users_pkey, ALTER id DROP NOT NULL; CREATE UNIQUE INDEX ON users (id)",
        "CREATE TABLE more () INHERITS (users)",
    ],
)
def test_a_key_that_the_table_has_no_more_is_refused_before_a_row_is_touched(users, change):
    users.do(change)

    with pytest.raises(BatchKeyUnusable, match="id is not a key of users"):
        users.run(RAISE)

    assert (visits(users), standing(users)) == ([(0, 100)], [])


def test_a_target_of_before_there_were_batches_is_refused_with_the_sql_that_adds_the_table(users):
    users.do("DROP TABLE locktender.batch")
    users.run("UPDATE users SET visits = 0")  # what needs no batches still runs

    with pytest.raises(TargetSchemaOlder) as refused:
        users.run(RAISE, "002_more")
    assert UPGRADE in str(refused.value)
    assert visits(users) == [(0, 100)]

    users.do(refused.value.sql)
    users.run(RAISE, "002_more")
    assert visits(users) == [(1, 100)]
