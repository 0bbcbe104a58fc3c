"""Reading the schema of a target: sizes and traffic as the server counts them, and nobody stands in the way."""

import psycopg
import pytest

from checks.model import Name, Schema
from deployments.postgres.connect import session
from deployments.postgres.schema_model import read_schema
from tests.postgres.places import Place


@pytest.fixture
def opened(empty_place: Place):
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as connection:
        yield connection


def read(place: Place) -> Schema:
    with session(place.target) as observer, observer.transaction():
        return read_schema(observer)


def test_sizes_are_those_of_the_last_count_with_long_values_and_indexes_apart(empty_place: Place, opened):
    opened.execute("CREATE TABLE t (id int PRIMARY KEY, body text); CREATE TABLE never_counted (id int)")
    opened.execute("ALTER TABLE t ALTER body SET STORAGE EXTERNAL")
    opened.execute("INSERT INTO t SELECT n, repeat('x', 5000) FROM generate_series(1, 200) n")
    opened.execute("VACUUM ANALYZE t")

    relations = read(empty_place).relations

    size = relations[Name("public", "t")].size
    assert size is not None
    assert size.rows == 200
    assert size.bytes > 200 * 5000  # the long values lie beside the table
    assert 0 < size.index_bytes < size.bytes
    assert relations[Name("public", "never_counted")].size.rows is None


def test_a_table_that_was_never_counted_is_not_taken_for_empty(empty_place: Place, opened):
    opened.execute("CREATE TABLE fresh (id int); CREATE TABLE held (id int)")
    opened.execute("INSERT INTO fresh SELECT generate_series(1, 10000); INSERT INTO held SELECT generate_series(1, 10)")

    free = read(empty_place).relations
    with opened.transaction():
        opened.execute("LOCK held IN ACCESS EXCLUSIVE MODE")
        locked = read(empty_place).relations

    assert free[Name("public", "fresh")].size.bytes > 300_000
    assert locked[Name("public", "held")].size is None  # not known, and not empty


def test_bare_names_mean_what_they_mean_to_the_role_that_acts(empty_place: Place, opened):
    opened.execute("CREATE ROLE keeper_of_names; CREATE SCHEMA keeper_of_names AUTHORIZATION keeper_of_names")
    try:
        with opened.transaction():
            mine, theirs = read_schema(opened), read_schema(opened, as_role="keeper_of_names")
    finally:
        opened.execute("DROP SCHEMA keeper_of_names; DROP ROLE keeper_of_names")

    assert "keeper_of_names" not in mine.path
    assert theirs.path[0] == "keeper_of_names"


def test_a_partition_has_its_own_size_and_the_table_above_none(empty_place: Place, opened):
    opened.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    opened.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000)")
    opened.execute("INSERT INTO p SELECT n FROM generate_series(1, 500) n; ANALYZE p1")

    relations = read(empty_place).relations

    assert relations[Name("public", "p")].size is None
    assert relations[Name("public", "p1")].size.rows == 500


def test_traffic_is_what_the_server_counted_over_the_time_it_counted(empty_place: Place, opened):
    opened.execute("CREATE TABLE busy (id int); CREATE TABLE idle (id int)")
    opened.execute("INSERT INTO busy SELECT generate_series(1, 100)")
    for _ in range(5):
        opened.execute("SELECT count(*) FROM busy")
    opened.execute("SELECT pg_stat_force_next_flush()")

    relations = read(empty_place).relations

    busy, idle = relations[Name("public", "busy")].traffic, relations[Name("public", "idle")].traffic
    if busy is None:  # the server is younger than a second: there is nothing to divide by
        assert idle is None
        return
    assert busy.writes > busy.reads > 0
    assert (idle.reads, idle.writes) == (0, 0)


def test_what_belongs_to_a_table_is_read_while_others_use_it(empty_place: Place, opened):
    opened.execute(
        "CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0), a text DEFAULT 'x'); CREATE INDEX ON t (lower(a));"
        "CREATE VIEW v AS SELECT a FROM t; CREATE TABLE p (id int) PARTITION BY LIST (id)"
    )

    with opened.transaction():
        opened.execute("LOCK t, p IN EXCLUSIVE MODE")
        relations = read(empty_place).relations

    assert relations[Name("public", "t")].indexes.keys() == {"t_pkey", "t_lower_idx"}
    assert relations[Name("public", "v")].uses == {Name("public", "t"): frozenset({"a"})}


def test_what_a_session_begins_with_is_read_and_left_as_it_was(empty_place: Place, opened):
    opened.execute("CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; CREATE TABLE app.t (id int)")

    with session(empty_place.target) as observer:
        observer.execute("SET search_path = app, missing, public; SET TIME ZONE 'Europe/Berlin'")
        with observer.transaction():
            schema = read_schema(observer)
        path = observer.execute("SHOW search_path").fetchone()

    assert schema.usual_path == schema.path == ("app", "public")
    assert schema.usual_time_zone == "Europe/Berlin"
    assert schema.find("t").name == Name("app", "t")
    assert path == ("app, missing, public",)


def test_locktenders_own_schema_is_no_part_of_it(place: Place):
    schema = read(place)

    assert "locktender" not in schema.schemas
    assert not [name for name in schema.relations if name.schema == "locktender"]
    assert schema.is_complete
