"""What may run in a transaction is what servers let through: every kind of statement really tried after a BEGIN."""

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from checks.kinds import may_need_no_transaction
from checks.statements import parse
from tests.checks.locks.live import fresh_database
from tests.checks.locks.servers import server_of

NAME = f"blocks_{os.getpid()}"  # the workers of pytest-xdist share the server
VERSIONS = (14, 15, 16, 17, 18)
REFUSED = "25001"  # active_sql_transaction
FIXTURE = """
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE INDEX i ON t (a);
CREATE TABLE p (id int, a text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10);
CREATE TABLE p2 (id int, a text);
CREATE INDEX pi ON p (id);
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX mi ON m (id);
CREATE TYPE mood AS ENUM ('sad');
CREATE SEQUENCE s;
CREATE PUBLICATION pub FOR TABLE t;
CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE PROCEDURE stays() LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
"""
SUBSCRIBED = "CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (connect = false)"
ENABLED = f"{SUBSCRIBED}; ALTER SUBSCRIPTION sub ENABLE"

OUTSIDE = """
VACUUM; VACUUM t; VACUUM (ANALYZE) t; VACUUM FULL t; VACUUM (FULL, VERBOSE) t; VACUUM (PARALLEL 0) t
CREATE INDEX CONCURRENTLY n ON t (a); CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS n ON t (id)
DROP INDEX CONCURRENTLY i; DROP INDEX CONCURRENTLY IF EXISTS nothing
REINDEX INDEX CONCURRENTLY i; REINDEX TABLE CONCURRENTLY t; REINDEX (CONCURRENTLY) TABLE t
REINDEX (CONCURRENTLY TRUE) TABLE t
REINDEX SCHEMA public; REINDEX SCHEMA CONCURRENTLY public; REINDEX DATABASE {name}; REINDEX SYSTEM {name}
REINDEX DATABASE CONCURRENTLY {name}
CREATE DATABASE other; CREATE DATABASE other TEMPLATE template0; DROP DATABASE other; DROP DATABASE IF EXISTS other
ALTER DATABASE {name} SET TABLESPACE pg_default
CREATE TABLESPACE space LOCATION '/nowhere'; DROP TABLESPACE space
ALTER SYSTEM SET work_mem = '8MB'; ALTER SYSTEM RESET work_mem; ALTER SYSTEM RESET ALL
ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY
CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub
CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (create_slot)
DISCARD ALL; CLUSTER
"""
INSIDE = """
ANALYZE; ANALYZE t; ANALYZE (VERBOSE) t; CLUSTER t USING i
REFRESH MATERIALIZED VIEW m; REFRESH MATERIALIZED VIEW CONCURRENTLY m
ALTER TYPE mood ADD VALUE 'happy'; ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sad'
ALTER TYPE mood RENAME VALUE 'sad' TO 'low'
CREATE INDEX n ON t (a); DROP INDEX i; REINDEX INDEX i; REINDEX TABLE t; REINDEX (VERBOSE) TABLE t
REINDEX (CONCURRENTLY FALSE) TABLE t; ALTER INDEX i SET (fillfactor = 80); CREATE INDEX n ON p (a)
ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)
ALTER DATABASE {name} SET work_mem = '8MB'; ALTER DATABASE {name} CONNECTION LIMIT 100; ALTER DATABASE {name} RESET ALL
CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (create_slot = false, connect = false)
CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION pub WITH (connect = false)
DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP
TRUNCATE t; LOCK TABLE t; CHECKPOINT; NOTIFY news; LISTEN news; COMMENT ON TABLE t IS 'x'; CALL stays(); DO 'BEGIN END'
ALTER TABLE t ADD COLUMN b int; ALTER TABLE t ADD CHECK (id > 0) NOT VALID; ALTER TABLE p2 SET UNLOGGED
CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE ROLE somebody_of_a_test; CREATE SCHEMA more; DROP SEQUENCE s
COPY t FROM PROGRAM 'true'; SET session_replication_role = replica; SET ROLE NONE; SAVEPOINT here
SET CONSTRAINTS ALL IMMEDIATE; GRANT SELECT ON t TO PUBLIC
CREATE PUBLICATION more FOR ALL TABLES; ALTER SEQUENCE s RESTART; VALUES (1)
"""
AFTER = {  # what must be there first, in the same transaction
    ENABLED: ("ALTER SUBSCRIPTION sub REFRESH PUBLICATION", "ALTER SUBSCRIPTION sub SET PUBLICATION pub",
              "ALTER SUBSCRIPTION sub ADD PUBLICATION more", "DROP SUBSCRIPTION sub"),
    SUBSCRIBED: ("ALTER SUBSCRIPTION sub SET PUBLICATION pub WITH (refresh = false)", "ALTER SUBSCRIPTION sub DISABLE",
                 "ALTER SUBSCRIPTION sub SET (slot_name = NONE)"),
}  # fmt: skip
# Only the catalogue knows: the tree says that it may be so.
PARTITIONED = ("REINDEX TABLE p", "REINDEX INDEX pi", "CLUSTER p USING pi")


@pytest.fixture(scope="module", params=VERSIONS)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A version, and the address of a database of that version with the fixture in it."""
    with server_of(request.param) as url, fresh_database(url, NAME, FIXTURE) as address:
        yield request.param, address


def listed(text: str) -> list[str]:
    return [one.strip().format(name=NAME) for line in text.strip().splitlines() for one in line.split(";")]


def tried(connection: psycopg.Connection, statement: str, before: str = "") -> str:
    """Return the SQLSTATE with which a server refuses a statement after BEGIN, "" if it runs; and roll back."""
    connection.execute("BEGIN")
    try:
        if before:
            connection.execute(before)
        connection.execute(statement)
    except psycopg.Error as refused:
        return refused.sqlstate or "?"
    else:
        return ""
    finally:
        connection.execute("ROLLBACK")


def test_every_kind_is_judged_as_the_server_judges_it(place):
    _, url = place
    cases = [("", one) for one in listed(OUTSIDE) + listed(INSIDE)]
    cases += [(before, one) for before, every in AFTER.items() for one in every]

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        answers = {one: tried(connection, one, before) for before, one in cases}

    said = {one: parse(one).statements[0].outside_transaction for one in answers}
    assert {one: state for one, state in answers.items() if (state == REFUSED) != said[one]} == {}
    assert {one: state for one, state in answers.items() if state not in {"", REFUSED}} == {}, "not really tried"


def test_what_only_the_catalogue_knows_is_known_to_be_possible(place):
    version, url = place
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        answers = {one: tried(connection, one) for one in PARTITIONED}
        committing = tried(connection, "CALL commits()")

    assert committing == "2D000"
    assert set(answers.values()) <= ({REFUSED} if version >= 15 else {REFUSED, "0A000", "42809"})
    for one in (*PARTITIONED, "CALL commits()", "DO 'BEGIN COMMIT; END'"):
        assert may_need_no_transaction(parse(one).statements[0].tree), one


def test_a_new_value_of_an_enum_cannot_be_used_in_its_transaction(place):
    _, url = place
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        used = tried(connection, "SELECT 'happy'::mood", "ALTER TYPE mood ADD VALUE 'happy'")
        of_its_own = tried(connection, "SELECT 'new'::fresh", "CREATE TYPE fresh AS ENUM ('old', 'new')")

    assert (used, of_its_own) == ("55P04", "")
