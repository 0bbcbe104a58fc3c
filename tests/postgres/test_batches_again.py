"""Batches of a later run: what was done before a way back counts no more, and settings of the file spoil no key."""

import pytest

from deployments.postgres.batches import run as batches
from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import CancelledOnRequest, InDoubt, StatementFailed
from tests.postgres.places import Place, script
from tests.postgres.proxy import UP, Proxy

BY_ID = "-- locktender: batch table=users key=id size=10\n"
FILL = BY_ID + "UPDATE users SET level = 1"


def cancelled_after_four(place: Place, monkeypatch, text: str) -> None:
    """Run a file of ten batches, and cancel it after four."""
    seen: list[str] = []

    def reached(name: str) -> None:
        seen.append(name)
        if seen.count("batch-committed") == 4:
            desk.stop.asked.set()

    with monkeypatch.context() as patched, place.desk() as desk, pytest.raises(CancelledOnRequest):
        patched.setattr(batches, "crash_point", reached)
        desk.run(script(text, "002_fill"))
    assert place.rows("SELECT count(level) FROM users") == [(40,)]


@pytest.fixture
def empty(place) -> Place:
    """A place with a column that is to be filled."""
    place.do("CREATE TABLE users (id int PRIMARY KEY)", "INSERT INTO users SELECT generate_series(1, 100)")
    place.run("ALTER TABLE users ADD level int", "001_level")
    return place


@pytest.fixture
def half(empty, monkeypatch) -> Place:
    """A run that was cancelled after four of the ten batches that fill the column."""
    cancelled_after_four(empty, monkeypatch, FILL)
    return empty


def test_what_was_filled_before_the_way_back_is_filled_again(half):
    with half.desk(job=2, fence=2) as desk:
        desk.run(script("ALTER TABLE users DROP level", "001_level", ROLLBACK))
    half.run("ALTER TABLE users ADD level int", "001_level", job=3, fence=3)

    desk = half.run(FILL, "002_fill", job=3, fence=3)

    assert half.rows("SELECT count(*) FROM users WHERE level IS NULL") == [(0,)]
    assert desk.lines[0] == (
        "002_fill: beginning anew: a migration was rolled back since an earlier attempt changed 40 rows"
    )


def test_rows_that_came_between_two_runs_are_gone_through_by_the_later_one(half):
    half.do("INSERT INTO users VALUES (101), (102)")

    half.run(FILL, "002_fill", job=2, fence=2)

    assert half.rows("SELECT count(*) FROM users WHERE level IS NULL") == [(0,)]
    assert half.rows("SELECT keys, last_key FROM locktender.batch WHERE job = 2") == [(102, ["102"])]


@pytest.mark.parametrize(
    ("setting", "type_", "value"),
    [
        ("SET extra_float_digits = 0", "float8", "n + 1.0::float8 / 3"),
        ("SET DateStyle = 'SQL, DMY'", "date", "date '2026-01-31' + n"),
    ],
)
def test_no_setting_of_the_file_spoils_the_last_key(place, setting, type_, value):
    place.do(
        f"CREATE TABLE users (at {type_} PRIMARY KEY, level int)",
        f"INSERT INTO users (at) SELECT {value} FROM generate_series(0, 30) n",
    )

    place.run(f"{setting};\n-- locktender: batch table=users key=at size=7\nUPDATE users SET level = 1")

    assert place.rows("SELECT count(*) FROM users WHERE level IS NULL") == [(0,)]


def test_what_no_catalogue_shows_is_in_doubt_after_a_way_back_although_it_was_done(place):
    place.do("CREATE TABLE users (id int PRIMARY KEY)")
    place.run("CREATE TABLE other ()", "001_other")
    text = "CREATE INDEX CONCURRENTLY ON users (id); VACUUM nowhere"
    with pytest.raises(StatementFailed, match="nowhere"):
        place.run(text, "002_index")
    with place.desk(job=2, fence=2) as desk:
        desk.run(script("DROP TABLE other", "001_other", ROLLBACK))

    with pytest.raises(InDoubt):
        place.run(text, "002_index", job=3, fence=3)

    assert len(place.indexes()) == 2


def test_batches_of_another_table_of_that_name_begin_at_its_beginning(empty, monkeypatch):
    cancelled_after_four(empty, monkeypatch, f"SET search_path = public;\n{FILL}")
    empty.do(
        "CREATE SCHEMA other",
        "CREATE TABLE other.users AS SELECT id, NULL::int AS level FROM users",
        "ALTER TABLE other.users ADD PRIMARY KEY (id)",
    )

    empty.run(f"SET search_path = other;\n{FILL}", "002_fill", job=2, fence=2)

    assert empty.rows("SELECT count(level) FROM users") == [(40,)]
    assert empty.rows("SELECT count(level) FROM other.users") == [(100,)]


def test_batches_go_on_where_they_were_after_a_setting_that_gives_nothing_its_meaning(half):
    half.do("UPDATE users SET level = 2 WHERE level = 1")

    half.run(f"SET work_mem = '8MB';\n{FILL}", "002_fill", job=2, fence=2)

    assert half.rows("SELECT level, count(*) FROM users GROUP BY 1 ORDER BY 1") == [(1, 60), (2, 40)]


def test_a_beginning_that_is_lost_before_its_commit_is_begun_again(half, monkeypatch):
    cut: list[object] = []

    def rule(link, direction: str, data: bytes) -> bytes:
        if direction is UP and b"INSERT INTO locktender.batch" in data and not cut:
            cut.append(link)
            link.cut()
            return b""
        return data

    with Proxy(half.url, rule) as proxy:
        half.run(FILL, "002_fill", job=2, fence=2, target=half.at(proxy.url, monkeypatch))

    assert cut
    assert half.rows("SELECT count(*) FROM users WHERE level IS NULL") == [(0,)]
    assert half.rows("SELECT job, rows FROM locktender.batch ORDER BY job") == [(1, 40), (2, 100)]
