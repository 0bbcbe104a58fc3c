"""The steps that change a type beside the running application: what they write again, and where there are none."""

import pytest

from tests.checks.rules.judging import only

CHILD = "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE c (t_id int REFERENCES t (id) {});"


def test_a_foreign_key_is_made_again_with_all_that_it_does():
    given = CHILD.format("ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED")

    found = only("key-type-change", "ALTER TABLE t ALTER id TYPE bigint", given)

    assert "(id) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;" in found.rewrite


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("CREATE TABLE t (k int, v int, PRIMARY KEY (k, v))", "the constraint t_pkey"),
        ("CREATE TABLE t (k int, v int); CREATE VIEW w AS SELECT v FROM t", "the view w"),
        ("CREATE TABLE t (k int, v int); CREATE UNIQUE INDEX i ON t (k, v)", "the unique index i"),
        ("CREATE TABLE t (k int, v int CHECK (v > 0))", "the constraint t_v_check"),
    ],
)
def test_no_steps_are_suggested_where_something_would_stay_with_the_old_column(given: str, told: str):
    found = only("column-type-change", "ALTER TABLE t ALTER v TYPE bigint", given)

    assert found.rewrite == ""
    assert f"By hand: no steps are suggested, because {told} would stay with the old column." in found.message


def test_what_goes_along_is_called_what_it_is():
    view = "CREATE TABLE t (id serial PRIMARY KEY, v int); CREATE VIEW w AS SELECT v FROM t"

    dropped = only("table-dropped", "DROP TABLE t CASCADE", view).message
    column = only("column-dropped", "ALTER TABLE t DROP COLUMN v CASCADE", view).message

    assert "t_id_seq" not in dropped
    assert dropped.endswith("Gone with it: view w.")
    assert column.endswith("Reading the column, view w would go with it.")
    assert "foreign key" not in dropped + column


def test_a_partition_made_in_place_keeps_users_of_its_parent_out():
    given = "CREATE TABLE p (at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE rest PARTITION OF p DEFAULT;"

    made = "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"

    assert "nobody can read or write p or rest." in only("partition-scan", made, given).message


def test_what_reads_another_column_only_is_not_in_the_way():
    given = "CREATE TABLE t (k int, v int); CREATE VIEW w AS SELECT k FROM t"

    assert only("column-type-change", "ALTER TABLE t ALTER v TYPE bigint", given).rewrite
