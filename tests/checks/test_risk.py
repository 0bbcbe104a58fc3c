"""The class of a script of which nothing but its text is known: what is unknown is never safe."""

from __future__ import annotations

import pytest

from checks.changes import Verb
from checks.errors import Unparsable
from checks.report import judge
from checks.risk import Risk, classify
from checks.risk.kinds import CLASSES


@pytest.mark.parametrize(
    "sql",
    [
        "-- nothing",
        "ALTER TABLE t ADD COLUMN a text",
        "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()",
        "CREATE TABLE t (id int PRIMARY KEY, r int REFERENCES r)",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1); UPDATE t SET a = 2",
        "CREATE TABLE a (id int); CREATE TABLE b (id int); ALTER TABLE a ADD x int; ALTER TABLE b ADD x int",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT k",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO reader",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET lock_timeout = '1s'",
        "GRANT ALL ON t TO app",
        "CREATE TABLE n (); ALTER TABLE n SET SCHEMA s; INSERT INTO s.n VALUES (1)",
        "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i",
    ],
)
def test_safe(sql):
    assert judge(sql).classified.risk is Risk.SAFE


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0",
        "ALTER TABLE t DROP COLUMN a",
        "DROP TABLE t",
        "DROP VIEW v",
        "UPDATE t SET a = 1 WHERE id = 7",
        "DELETE FROM t WHERE id = 7",
        "INSERT INTO t SELECT * FROM t WHERE id = 7",
        "ALTER TABLE t RENAME COLUMN a TO b",
        "SET lock_timeout = '1h'",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE AGGREGATE f(int) (sfunc = a, stype = int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = s AS 'SELECT 1'",
        "CREATE TABLE n () INHERITS (hot)",
        "CREATE TABLE n (); INSERT INTO n SELECT * FROM hot; DROP TABLE hot; ALTER TABLE n RENAME TO hot",
        "UPDATE a SET x = 1 WHERE y = 1; UPDATE public.a SET x = 2 WHERE y = 2",
    ],
)
def test_controlled(sql):
    assert judge(sql).classified.risk is Risk.CONTROLLED


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE t ADD COLUMN a serial",
        "ALTER TABLE t ADD COLUMN a some_domain",
        "ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t ALTER a TYPE bigint",
        "CREATE INDEX i ON t (a)",
        "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX i ON t (a)",
        "ALTER TABLE t RENAME TO u; ALTER TABLE u ALTER a SET NOT NULL",
        "CREATE TABLE n (); ALTER TABLE n ATTACH PARTITION hot DEFAULT",
        "ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i",
    ],
)
def test_work_that_grows_with_a_table_is_high_risk_where_its_size_is_not_known(sql):
    classified = judge(sql).classified

    assert classified.risk is Risk.HIGH
    assert "size unknown, treated as large" in " ".join(classified.reasons)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "TRUNCATE t",
        "DROP SCHEMA s",
        "DROP VIEW v CASCADE",
        "ALTER TABLE t DROP COLUMN a CASCADE",
        "DROP OWNED BY x",
        "DROP DATABASE d",
        "ALTER TABLE a ADD COLUMN x int; ALTER TABLE b ADD COLUMN x int",
        "DO $$ BEGIN PERFORM 1; END $$",
        "CALL p()",
        "SELECT some_function()",
        "INSERT INTO t SELECT public.lower('x')",
        "EXECUTE prepared",
        "CREATE TABLE t AS EXECUTE prepared",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "CREATE ROLE x SUPERUSER",
        "ALTER TABLE t SET UNLOGGED",
        "ALTER TABLE t SET SCHEMA s",
        "ALTER TABLE t DISABLE TRIGGER ALL",
        "VACUUM FULL t",
        "COPY t FROM PROGRAM 'x'",
        "COPY t TO '/x'",
        "SET ROLE x",
        "BEGIN",
        "LOAD 'x'",
        "this is not SQL",
        "CREATE TABLE t (a int); COPY t FROM PROGRAM 'x'",
        "CREATE TABLE t (a int); DO $$ BEGIN END $$",
        "MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE",
        "WITH a AS (UPDATE t SET x = 1 RETURNING 1) SELECT 1",
        "SET zero_damaged_pages = on",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'x'",
        "CREATE TABLE n (); ALTER TABLE n INHERIT hot",
        "CREATE TABLE t (); ALTER TABLE t SET SCHEMA s; TRUNCATE t",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "EXPLAIN ANALYZE SELECT 1 INTO t",
        "SET search_path = s; UPDATE a SET x = 1 WHERE y = 1; UPDATE public.a SET x = 2 WHERE y = 2",
    ],
)
def test_high_risk(sql):
    assert judge(sql).classified.risk is Risk.HIGH


def test_every_verb_has_a_class():
    assert set(CLASSES) == set(Verb)


def test_a_verb_that_is_not_understood_is_high_risk():
    assert CLASSES[Verb.UNKNOWN][0] is Risk.HIGH


def test_the_classes_are_ordered_by_care_not_by_spelling():
    assert Risk.SAFE < Risk.CONTROLLED < Risk.HIGH
    assert max(Risk) is Risk.HIGH
    assert min(Risk) is Risk.SAFE
    assert sorted(Risk, reverse=True) == [Risk.HIGH, Risk.CONTROLLED, Risk.SAFE]
    assert Risk.SAFE <= Risk.SAFE
    assert Risk.HIGH >= Risk.CONTROLLED


def test_reasons_name_the_object_and_only_those_of_the_highest_class_are_given():
    classified = judge("ALTER TABLE s.orders ADD COLUMN a int;\nALTER TABLE s.orders DROP COLUMN total").classified

    assert classified.reasons[0] == "line 2: drops column total of s.orders and its data"
    assert all(reason.startswith("line 2: ") for reason in classified.reasons)


def test_a_script_that_cannot_be_parsed_is_high_risk_and_says_where():
    refusal = Unparsable("syntax error", line=3, column=1, offset=20)

    classified = classify(refusal)

    assert classified.risk is Risk.HIGH
    assert "line 3" in classified.reasons[0]


def test_the_report_of_what_cannot_be_parsed_blocks_and_knows_nothing_else():
    report = judge("SELECT 1;\n\\d")

    assert not report.is_analysed
    assert report.statements == ()
    assert [(finding.code, finding.line, finding.severity.value) for finding in report.findings] == [
        ("unparsable-sql", 2, "blocking")
    ]


_KEY = "; ALTER TABLE a ADD FOREIGN KEY (c) REFERENCES customers (id)"


@pytest.mark.parametrize(
    "fill",
    [
        "CREATE TABLE a AS SELECT * FROM o",
        "SELECT * INTO a FROM o",
        "CREATE TABLE a (c int); INSERT INTO a SELECT c FROM o",
        "CREATE TABLE a (c int); COPY a FROM '/rows'",
        "CREATE TABLE a (c int) PARTITION BY LIST (c); CREATE TABLE b PARTITION OF a DEFAULT; INSERT INTO a TABLE o",
        "CREATE TABLE a (c int) PARTITION BY LIST (c); ALTER TABLE a ATTACH PARTITION o DEFAULT",
        "CREATE TABLE b AS SELECT * FROM o; ALTER TABLE b RENAME TO a",
    ],
)
def test_a_foreign_key_of_a_table_that_the_script_filled_is_never_safe(fill):
    report = judge(fill + _KEY)

    assert report.classified.risk is Risk.HIGH
    assert "foreign-key-scan" in {one.code for one in report.findings}
    assert "foreign-key-locks-parent" not in {one.code for one in report.findings}


def test_rows_that_are_written_out_are_few():
    assert judge("CREATE TABLE a (c int); INSERT INTO a VALUES (1), (2)" + _KEY).classified.risk is Risk.SAFE


def test_a_partition_that_is_detached_counts_with_its_table():
    assert not any("several" in one for one in judge("ALTER TABLE e DETACH PARTITION p").classified.reasons)


def test_a_key_of_a_new_column_is_not_said_to_check_rows():
    reasons = judge("ALTER TABLE orders ADD COLUMN c int REFERENCES customers (id)").classified.reasons

    assert reasons
    assert not any("checks every row" in one for one in reasons)


def test_what_the_script_makes_twice_fails_wherever_it_runs():
    report = judge("CREATE TABLE a (i int); CREATE TABLE a (i int)")

    assert "statement-will-fail" in {one.code for one in report.findings}
    assert report.classified.risk is Risk.CONTROLLED


def test_references_of_a_new_table_are_no_warning():
    sql = "CREATE TABLE n (a int, b int); ALTER TABLE n ADD FOREIGN KEY (a) REFERENCES x (i)"
    sql += "; ALTER TABLE n ADD FOREIGN KEY (b) REFERENCES y (i)"

    assert "several-tables-locked" not in {one.code for one in judge(sql).findings}
