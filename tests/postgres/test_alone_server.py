"""Statements about the whole server, proved by its catalogue, and links that break while something runs by itself."""

import os
from collections.abc import Iterator

import pytest

from checks.outside import Found, Next, Past, aim_of, verdict
from checks.statements import parse
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
from tests.postgres.places import Place, script
from tests.postgres.proxy import UP, Proxy


@pytest.fixture
def users(place) -> Place:
    return with_users(place)


@pytest.fixture
def administered(place, monkeypatch) -> Place:
    """A place where the connection's role may change the server."""
    monkeypatch.setattr(place, "target", place.at(place.superuser_url, monkeypatch))
    return place


# What belongs to the server


@pytest.fixture
def database(administered) -> Iterator[str]:
    """The name of a database that is not there yet, and is dropped afterwards."""
    name = f"made_{administered.target.database_id}_{os.getpid()}"
    yield name
    administered.administer(f"DROP DATABASE IF EXISTS {name}")


def databases(place: Place, name: str) -> list[tuple]:
    return place.rows("SELECT datname::text FROM pg_database WHERE datname = %s", name)


def test_a_database_is_made_once_and_dropped_once_whatever_is_repeated(administered, database):
    make, drop = f"CREATE DATABASE {database} TEMPLATE template0 ENCODING 'utf-8'", f"DROP DATABASE {database}"
    after_intent(administered, make)
    administered.administer(make)
    administered.run(make)
    assert (states(administered), databases(administered, database)) == (["done"], [(database,)])

    with interrupted(administered, drop, job=2, fence=2, name="002_drop"):
        administered.administer(drop)
    administered.run(drop, "002_drop", job=2, fence=2)
    assert (states(administered), databases(administered, database)) == (["done", "done"], [])


def test_another_database_of_that_name_is_in_doubt_and_one_that_is_there_is_the_servers_refusal(administered, database):
    administered.administer(f"CREATE DATABASE {database} OWNER package_migrator")

    with pytest.raises(InDoubt, match="owner: package_migrator instead of postgres"):
        administered.run(f"CREATE DATABASE {database} OWNER postgres")
    with pytest.raises(StatementFailed, match="42P04"):
        administered.run(f"CREATE DATABASE {database}", "002_again", job=2, fence=2)
    assert "intent" not in states(administered)[1:]  # refused as a whole: the next attempt owes nobody an answer


@pytest.mark.parametrize("text", ["ALTER SYSTEM SET log_temp_files = '77MB'", "ALTER SYSTEM RESET log_temp_files"])
def test_a_setting_of_the_server_is_written_and_looked_at_in_its_file(administered, text):
    after_intent(administered, text)
    try:
        administered.run(text)
        written = administered.rows("SELECT setting FROM pg_file_settings WHERE name = 'log_temp_files'")
    finally:
        administered.administer("ALTER SYSTEM RESET log_temp_files")

    assert written == ([("77MB",)] if "SET" in text.split() else [])
    assert states(administered) == ["done"]


def test_a_tablespace_and_a_subscription_that_a_crash_left_are_judged_by_the_catalogue(administered):
    after_intent(administered, "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION pub")
    with pytest.raises(InDoubt, match="the publisher may hold a replication slot for it"):
        administered.run("CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION pub")

    with pytest.raises(StatementFailed, match="tablespace"):
        administered.run("DROP TABLESPACE nothing_of_that_name", "002_space", job=2, fence=2)


def test_a_reading_role_that_may_not_see_the_file_writes_the_setting_again():
    aim = aim_of(parse("ALTER SYSTEM SET work_mem = '8MB'").statements[0].tree)

    assert verdict(aim, Found(), Past(was_attempted=True)).next is Next.SEND


# The link breaks in the act


def cutting(text: str, *, after: bool):
    """Return a rule that takes the connection away once, before or after the server has this statement."""
    cuts: list = []

    def rule(link, direction, data):
        if direction is UP and data.startswith(b"Q") and text.encode() in data and not cuts:
            cuts.append(link)
            if after:
                link.server.sendall(data)
            link.cut(server_too=not after)
            return b""
        if link in cuts:
            return b""  # an answer that is quicker than the cut
        return data

    return rule


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "REINDEX INDEX CONCURRENTLY by_id",
        "DROP INDEX CONCURRENTLY by_id",
        "VACUUM users",
        "-- locktender: no-transaction\nINSERT INTO users VALUES (9)",
        DETACH,
    ],
)
def test_a_cut_in_the_act_is_looked_at_and_the_statement_is_done_once(users, monkeypatch, text, after):
    users.do("CREATE INDEX by_id ON users (id)", *PARTITIONED)
    old = oid_of(users, "by_id")
    act = text.splitlines()[-1]

    with (
        Proxy(users.url, cutting(act, after=after)) as proxy,
        users.desk(target=users.at(proxy.url, monkeypatch)) as desk,
    ):
        desk.run(script(text))

    assert "looking what it left" in desk.lines[0]
    assert (states(users), users.history()) == (["done"], [("001_ledger", "forward")])
    assert users.rows("SELECT count(*) FROM users WHERE id = 9") == [(int("INSERT" in act),)]
    assert users.indexes().get("by_id", True) is True
    assert (oid_of(users, "by_id") == old) is ("INDEX" not in act)
    assert ("events_2025" in partitions(users)) is (act != DETACH)
