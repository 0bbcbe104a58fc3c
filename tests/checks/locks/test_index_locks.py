"""What a rebuilt index stops: not its table's lock, but its own, is in the way of whoever plans a query."""

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from checks.locks import Mode, effects_of
from checks.model.replay import begin
from checks.statements import parse
from tests.checks.locks.cases import replayed
from tests.checks.locks.live import WAIT_ROUNDS, fresh_database, look
from tests.checks.locks.servers import server_of
from tests.checks.locks.test_live_locks import VERSIONS

FIXTURE = "create table t (id int, a int); create index i on t (id); create index j on t (a);"
_LOCKS = "SELECT c.relname, mode FROM pg_locks JOIN pg_class c ON c.oid = relation WHERE pid = %s AND granted = %s"
# A plan that is kept: after five calls the server uses it again without looking at the indexes.
_PREPARED = "PREPARE kept AS SELECT a FROM t; SET plan_cache_mode = force_generic_plan; EXECUTE kept"


@pytest.fixture(scope="module", params=VERSIONS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with the fixture on a server of each version."""
    with server_of(request.param) as url, fresh_database(url, f"locks_index_{os.getpid()}", FIXTURE) as made:
        yield made


def connected(url: str) -> closing[psycopg.Connection]:
    return closing(psycopg.connect(url, autocommit=True))


def held(connection: psycopg.Connection, pid: int, *, granted: bool = True) -> dict[str, str]:
    found = connection.execute(_LOCKS, [pid, granted]).fetchall()
    return {name: mode for name, mode in found if name in {"t", "i", "j"}}


@pytest.mark.parametrize(("sql", "indexes"), [("REINDEX INDEX i", {"i"}), ("REINDEX TABLE t", {"i", "j"})])
def test_reindex_locks_the_table_for_writers_and_the_index_for_whoever_plans(database, sql, indexes):
    place = look(database)
    (statement,) = parse(sql).statements
    effects = effects_of(statement, begin(replayed(FIXTURE, place.rows)), place.version)

    with connected(database) as builder, connected(database) as reader, connected(database) as prepared:
        prepared.execute(_PREPARED)
        reader.execute("SET lock_timeout = '50ms'")
        prepared.execute("SET lock_timeout = '50ms'")
        with builder.transaction(force_rollback=True):
            builder.execute(sql)
            locks = held(builder, builder.info.backend_pid)
            for query in ("SELECT id FROM t", "SELECT a FROM t WHERE a = 1", "EXPLAIN SELECT 1 FROM t"):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    reader.execute(query)
            prepared.execute("EXECUTE kept")  # it does not wait

    assert locks == {"t": "ShareLock"} | dict.fromkeys(indexes, "AccessExclusiveLock")
    assert {str(one.relation): one.mode for one in effects.locks} == {"t": Mode.SHARE}
    assert {(one.index, one.mode) for one in effects.indexes} == {(one, Mode.ACCESS_EXCLUSIVE) for one in indexes}


@pytest.mark.parametrize("what", ["SCHEMA public", "DATABASE"])
def test_a_whole_schema_or_database_takes_the_same_locks_table_by_table(database, what):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    sql = f"REINDEX {what}" + (f" {name}" if what == "DATABASE" else "")
    place = look(database)
    (statement,) = parse(sql).statements
    effects = effects_of(statement, begin(replayed(FIXTURE, place.rows)), place.version)

    with connected(database) as user, connected(database) as builder, connected(database) as watcher:
        with user.transaction():
            user.execute("SELECT a FROM t WHERE a = 1")  # it keeps ACCESS SHARE on the table and on both indexes
            builder.pgconn.send_query(sql.encode())
            waiting: dict[str, str] = {}
            for _ in range(WAIT_ROUNDS):
                if waiting := held(watcher, builder.info.backend_pid, granted=False):
                    break
            locks = held(watcher, builder.info.backend_pid)
        while builder.pgconn.get_result() is not None:
            pass

    assert set(waiting.values()) == {"AccessExclusiveLock"}
    assert waiting.keys() <= {"i", "j"}
    assert locks["t"] == "ShareLock"
    assert {str(one.relation): one.mode for one in effects.locks} == {"t": Mode.SHARE}
    assert {one.mode for one in effects.indexes} == {Mode.ACCESS_EXCLUSIVE}
