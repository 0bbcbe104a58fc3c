"""What the texts of some rules claim, asked of a real server: what a suggestion saves, and what a bad example costs."""

from __future__ import annotations

import psycopg
import pytest

from checks.context import World
from checks.examples import files_of
from checks.model import EMPTY
from checks.model.replay import replay_script
from checks.report import judge
from checks.statements import parse
from tests.checks.rules.server import Server, server

__all__ = ["server"]

RANGE = (
    "CREATE TABLE events (at {type} {null}, kind text) PARTITION BY RANGE (at);"
    "CREATE TABLE rest PARTITION OF events DEFAULT;"
    "CREATE TABLE part (at {type} {null}, kind text);"
)
LIST = RANGE.replace("RANGE", "LIST")
STATE = "SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = %s::regclass"
SPAN = "ALTER TABLE events ATTACH PARTITION part FOR VALUES FROM ({0}) TO ({1})"


def suggested(server: Server, given: str, sql: str) -> str:
    world = World(replay_script(EMPTY, parse(given)), server.version)
    (found,) = (one for one in judge(sql, world=world).findings if one.code == "partition-scan")
    return found.rewrite


def notices(server: Server, sql: str) -> list[str]:
    """Return what the server says of the tables that it reads, or need not read."""
    said: list[str] = []

    def hear(one: psycopg.errors.Diagnostic) -> None:
        said.append(one.message_primary or "")

    server.connection.add_notice_handler(hear)
    try:
        server.connection.execute("SET client_min_messages = debug1")
        server.run(sql)
    finally:
        server.connection.execute("SET client_min_messages = error")
        server.connection.remove_notice_handler(hear)
    return [one for one in said if "implied by existing constraints" in one or one.startswith("verifying table")]


@pytest.mark.parametrize(
    ("given", "sql"),
    [
        (RANGE.format(type="date", null="NOT NULL"), SPAN.format("'2026-01-01'", "'2027-01-01'")),
        (RANGE.format(type="date", null=""), SPAN.format("'2026-01-01'", "'2027-01-01'")),
        (RANGE.format(type="bigint", null=""), SPAN.format("1", "MAXVALUE")),
        (RANGE.format(type="timestamptz", null="NOT NULL"), SPAN.format("MINVALUE", "'2027-01-01 00:00+00'")),
        (LIST.format(type="text", null=""), "ALTER TABLE events ATTACH PARTITION part FOR VALUES IN ('a', 'b')"),
        (LIST.format(type="int", null="NOT NULL"), "ALTER TABLE events ATTACH PARTITION part FOR VALUES IN (7)"),
    ],
)
def test_after_the_checks_that_are_suggested_the_server_reads_neither_table(server, given, sql):
    with server.having(given):
        *before, last = files_of(suggested(server, given, sql))
        for file in before:
            server.run(file)
        said = notices(server, last)

    assert len(said) == 2
    assert all("implied by existing constraints" in one for one in said)


def test_an_index_that_failed_is_taken_for_the_one_that_was_wanted(server):
    with server.having("CREATE TABLE users (email text); INSERT INTO users VALUES ('a'), ('a');"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            server.run("CREATE UNIQUE INDEX CONCURRENTLY one ON users (email)")
        server.run("DELETE FROM users")
        server.run("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one ON users (email)")
        ((is_valid, _),) = server.connection.execute(STATE, ["one"]).fetchall()

    assert is_valid is False


def test_the_index_of_a_partitioned_table_is_valid_when_the_last_part_is_attached(server):
    given = (
        "CREATE TABLE events (at date, kind text) PARTITION BY RANGE (at);"
        "CREATE TABLE e1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
        "CREATE TABLE e2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
    )
    world = World(replay_script(EMPTY, parse(given)), server.version)
    sql = "CREATE INDEX kinds ON events (lower(kind), at DESC) WHERE kind IS NOT NULL"
    (found,) = (one for one in judge(sql, world=world).findings if one.code == "index-on-partitioned")

    with server.having(given):
        for file in files_of(found.rewrite):
            server.run(file)
        ((is_valid, definition),) = server.connection.execute(STATE, ["kinds"]).fetchall()

    assert is_valid is True
    assert "lower(kind), at DESC" in definition
    assert "WHERE (kind IS NOT NULL)" in definition


def test_a_view_in_the_place_of_a_table_is_read_and_written_by_its_old_name(server):
    given = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);"
    world = World(replay_script(EMPTY, parse(given)), server.version)
    (found,) = judge("ALTER TABLE orders RENAME TO purchases", world=world).findings

    with server.having(given):
        server.run(found.rewrite)
        server.run("INSERT INTO orders VALUES (1, 'x') ON CONFLICT (id) DO NOTHING; UPDATE orders SET note = 'y'")
        rows = server.connection.execute("SELECT * FROM purchases").fetchall()

    assert rows == [(1, "y")]


def test_commands_in_one_alter_table_share_one_pass(server):
    given = "CREATE TABLE orders (a int, b int);"
    world = World(replay_script(EMPTY, parse(given)), server.version)
    sql = "ALTER TABLE orders ALTER a SET NOT NULL; ALTER TABLE orders ALTER b SET NOT NULL"
    (found,) = (one for one in judge(sql, world=world).findings if one.code == "table-scanned-repeatedly")

    with server.having(given):
        apart = notices(server, sql)
    with server.having(given):
        together = notices(server, found.rewrite)

    assert (len(apart), len(together)) == (2, 1)
