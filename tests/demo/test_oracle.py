"""The onlooker of the demo says equal only where it is, and counts the rows that were there, not those that came."""

import threading

import psycopg
import pytest

from demo import oracle
from demo.oracle import look

TABLES = ("users", "businesses")


@pytest.fixture
def place(make_customer, monkeypatch) -> str:
    monkeypatch.setattr(oracle, "TABLES", TABLES)
    url = make_customer().url
    with psycopg.connect(url, autocommit=True) as opened:
        for table in TABLES:
            opened.execute(f"CREATE TABLE {table} (id serial PRIMARY KEY, name text NOT NULL)")
            opened.execute(f"INSERT INTO {table} (name) VALUES ('Ada'), ('Ben')")
    return url


def change(place: str, statement: str) -> None:
    with psycopg.connect(place, autocommit=True) as opened:
        opened.execute(statement)


def test_what_came_later_is_not_counted(place):
    before = look(place)
    change(place, "INSERT INTO users (name) VALUES ('Cem')")

    assert look(place, like=before) == before
    assert look(place) != before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET name = 'Eve' WHERE id = 1",
        "DELETE FROM users WHERE id = 2",
        "UPDATE users SET name = CASE id WHEN 1 THEN 'Ben' ELSE 'Ada' END",
    ],
)
def test_a_row_that_changed_or_went_is_seen(place, statement):
    before = look(place)
    change(place, statement)
    after = look(place, like=before)

    assert after.schema == before.schema
    assert after.rows["users"] != before.rows["users"]
    assert after.rows["businesses"] == before.rows["businesses"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX users_name ON users (name)",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'",
        "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_another_schema_is_seen_and_rows_are_the_same(place, statement):
    before = look(place)
    change(place, statement)
    after = look(place, like=before)

    assert after.schema != before.schema
    assert after.rows == before.rows


def test_who_drew_an_identifier_and_has_not_committed_is_waited_for(place):
    with psycopg.connect(place) as slow:
        slow.execute("INSERT INTO users (name) VALUES ('Slow')")
        change(place, "INSERT INTO users (name) VALUES ('Quick')")
        seen = []
        looking = threading.Thread(target=lambda: seen.append(look(place)))
        looking.start()
        looking.join(0.3)
        assert not seen, "it did not wait"
        slow.commit()
        looking.join(30)

    assert seen[0].rows["users"].count == 4
    assert look(place, like=seen[0]) == seen[0]
