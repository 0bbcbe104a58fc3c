"""What the server refuses because it is there already, or is not: certain where it is known, told where it is not."""

import pytest

from checks.context import World
from checks.model import EMPTY, UNKNOWN
from checks.model.replay import replay_script
from checks.project.following import before_first
from checks.report import judge
from checks.statements import parse
from tests.checks.rules.judging import codes, findings

TWICE = (
    "CREATE TABLE t (id bigint PRIMARY KEY);",
    "CREATE TYPE e AS ENUM ('a');",
    "CREATE DOMAIN d AS int;",
    "CREATE SCHEMA s;",
    "CREATE SEQUENCE q;",
    "CREATE VIEW v AS SELECT 1 AS a;",
    "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;",
    "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
    "CREATE EXTENSION citext;",
)


@pytest.mark.parametrize("sql", TWICE)
def test_what_a_script_makes_twice_fails_wherever_it_runs(sql):
    for given in (None, ""):
        assert "statement-will-fail" in codes(sql + sql, given)
    assert "statement-will-fail" not in codes(sql, "")


@pytest.mark.parametrize(
    ("sql", "again"),
    [
        ("CREATE TABLE t (a int, b int);", "CREATE INDEX i ON t (a); CREATE INDEX i ON t (b);"),
        ("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int; ALTER TABLE t ADD COLUMN b int;"),
        ("CREATE TABLE t (a int);", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0), ADD CONSTRAINT c CHECK (a > 1);"),
        ("CREATE TABLE t (a int);", "CREATE TYPE t AS ENUM ('a');"),
    ],
)
def test_an_index_column_constraint_or_type_that_is_there_fails_in_one_script_and_after_another(sql, again):
    assert "statement-will-fail" in codes(sql + again, None)
    assert "statement-will-fail" in codes(again, sql)


def test_an_index_or_column_that_is_made_twice_on_a_table_that_is_not_known_fails_too():
    index, column = "CREATE INDEX i ON t (a);", "ALTER TABLE t ADD COLUMN a int;"

    assert "statement-will-fail" in codes(index + index, None)
    assert "statement-will-fail" in codes(column + column, None)
    assert "statement-will-fail" not in codes(index + "DROP INDEX i;" + index, None)
    assert "statement-will-fail" not in codes(column + "ALTER TABLE t RENAME a TO b;" + column, None)
    assert "statement-will-fail" not in codes(column + "DO $$ BEGIN NULL; END $$;" + column, None)
    assert "statement-will-fail" not in codes(column + column.replace("TABLE t", "TABLE u"), None)


@pytest.mark.parametrize("sql", TWICE)
def test_what_is_there_as_far_as_it_is_known_is_told_and_not_claimed(sql):
    doubted = World(replay_script(EMPTY, parse(sql + "DO $$ BEGIN NULL; END $$;")))
    partly = World(replay_script(UNKNOWN, parse(sql)))

    for world in (doubted, partly):
        found = [one.code for one in judge(sql, world=world).findings]
        assert "statement-may-fail" in found
        assert "statement-will-fail" not in found


def test_the_reason_for_the_doubt_is_named():
    (doubted,) = (
        one for one in findings(TWICE[1], TWICE[1] + "DO $$ BEGIN NULL; END $$;") if one.code == "statement-may-fail"
    )

    assert "there is a type e already" in doubted.message
    assert "DO" in doubted.message
    assert doubted.severity == "note"


@pytest.mark.parametrize("sql", TWICE)
def test_a_history_that_makes_a_thing_twice_still_began_on_an_empty_database(sql):
    assert before_first(sql + sql, 16) is EMPTY


def test_a_history_that_names_what_it_did_not_make_began_on_something():
    for sql in (
        "ALTER TABLE t ADD COLUMN b int;",
        "CREATE TABLE t (a e);",
        "DROP TYPE e;",
        "CREATE VIEW app.v AS SELECT 1;",
    ):
        assert before_first(sql, 16) is UNKNOWN, sql


def test_if_not_exists_and_or_replace_are_no_failure():
    again = "CREATE TABLE IF NOT EXISTS t (id bigint); CREATE OR REPLACE VIEW v AS SELECT 1 AS a;"
    again += "CREATE SCHEMA IF NOT EXISTS s;"

    assert "statement-will-fail" not in codes(again, "".join(TWICE))


def test_what_is_dropped_first_is_free_again():
    for sql in TWICE[:-2]:
        kind, name = sql.split()[1], sql.split("(")[0].split(" AS ")[0].split()[-1].strip(";")
        kind = "MATERIALIZED VIEW" if kind == "MATERIALIZED" else kind
        assert "statement-will-fail" not in codes(f"DROP {kind} {name}; {sql}", sql), sql


def test_a_table_of_another_schema_of_the_path_does_not_take_the_name():
    given = "CREATE SCHEMA app; CREATE TABLE t (id bigint PRIMARY KEY);"

    assert "statement-will-fail" not in codes("SET search_path = app, public; CREATE TABLE t (id bigint);", given)
    assert "statement-will-fail" in codes("SET search_path = app, public; CREATE TABLE public.t (id bigint);", given)


def test_a_search_path_whose_schemas_are_missing_is_told():
    sql = "SET search_path = nowhere; CREATE TABLE t (id bigint);"

    (found,) = (one for one in findings(sql, "") if one.code == "statement-will-fail")
    assert "none of the search path is there to make it in: nowhere" in found.message
    assert "statement-may-fail" in codes(sql, "DO $$ BEGIN NULL; END $$;")


def test_a_partitioned_table_is_not_rebuilt_in_a_transaction():
    given = "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE INDEX i ON p (id); CREATE TABLE t (id int);"

    for sql in ("REINDEX TABLE p;", "REINDEX INDEX i;"):
        assert "statement-will-fail" in codes(sql, given), sql
    assert "statement-will-fail" not in codes("REINDEX TABLE t;", given)
