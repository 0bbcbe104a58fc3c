"""What is found in small scripts of which nothing else is known. The examples of each rule are tested in `rules/`."""

from __future__ import annotations

import pytest

from checks.finding import Severity
from checks.report import judge


def codes(sql: str) -> list[str]:
    """Return the codes of what wants a decision; notes are left out."""
    return [finding.code for finding in judge(sql).findings if finding.severity is not Severity.NOTE]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE t (a int); CREATE INDEX i ON t (a);", []),
        ("CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX i ON t (a);", ["index-not-concurrent"]),
        ("CREATE TABLE s.t (a int); CREATE INDEX i ON t (a);", ["index-not-concurrent"]),
        ("CREATE TABLE t (a int); SET search_path = x; CREATE INDEX i ON t (a);", ["index-not-concurrent"]),
        ("CREATE TABLE n (a int); ALTER TABLE n RENAME TO t; CREATE INDEX i ON t (a);", []),
        ("CREATE TABLE t (a int); DROP TABLE t; CREATE INDEX i ON t (a);", ["index-not-concurrent"]),
        ("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a; CREATE INDEX i ON t (a)", ["index-not-concurrent"]),
        ("CREATE SCHEMA s CREATE TABLE t (a int); CREATE INDEX i ON t (a)", ["index-not-concurrent"]),
        ("CREATE SCHEMA s CREATE TABLE t (a int); CREATE INDEX i ON s.t (a)", []),
        ("CREATE FOREIGN TABLE f (a int) SERVER x; DROP TABLE t", ["table-dropped"]),
        ("DROP TABLE a, b CASCADE", ["several-tables-locked", "table-dropped", "table-dropped"]),
        ("DROP VIEW v CASCADE", ["drop-cascade"]),
        ("WITH gone AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM gone", ["data-change-without-where"]),
        ("DELETE FROM t WHERE 1 = 1", ["data-change-without-where"]),
        ("UPDATE t SET a = 1 WHERE b > 2 OR true", ["data-change-without-where"]),
        ("UPDATE t SET a = 1 WHERE b > 2 AND true", []),
        ("EXPLAIN ANALYZE DELETE FROM t", ["data-change-without-where"]),
        ("EXPLAIN DELETE FROM t", []),
        ("SET LOCAL ROLE x", ["session-role-change"]),
        ("SET session_replication_role = replica", ["session-role-change"]),
        ("RESET ALL", ["session-role-change"]),
        ("SELECT pg_catalog.set_config('Role', 'x', false)", ["session-role-change"]),
        ("SELECT set_config('ro' || 'le', 'x', false)", ["session-role-change"]),
        ("SELECT set_config('search_path', '', false)", []),
        ("CREATE INDEX CONCURRENTLY a ON t (x); DROP INDEX CONCURRENTLY b", []),
        ("SET statement_timeout = '1s'; CREATE INDEX CONCURRENTLY a ON t (x)", []),
        ("SET LOCAL work_mem = '1MB'; CREATE INDEX CONCURRENTLY a ON t (x)", ["mixed-transaction"]),
        ("PREPARE TRANSACTION 'x'", ["transaction-control"]),
        ("SET lock_timeout = 0", ["timeout-raised"]),
        ("SET LOCAL statement_timeout = 0", ["timeout-raised"]),
        ("SET lock_timeout TO DEFAULT", ["timeout-raised"]),
        ("RESET lock_timeout", ["timeout-raised"]),
        ("SELECT set_config('Lock_Timeout', '0', true)", ["timeout-raised"]),
        ("SET statement_timeout = '31min'", ["timeout-raised"]),
        ("SET statement_timeout = '30 min'", []),
        ("SET synchronous_commit = off", ["setting-not-listed"]),
        ("SELECT set_config('zero_damaged_pages', 'on', false)", ["setting-not-listed"]),
        ("SET standard_conforming_strings = off", ["setting-not-listed"]),
        ("SET client_encoding = 'UTF8'", []),
        ("SET TIME ZONE 'UTC'", []),
        ("GRANT SELECT ON t TO PUBLIC", ["privileges-broad"]),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA s TO r", ["privileges-broad"]),
        ("GRANT SELECT ON t TO r WITH GRANT OPTION", ["privileges-broad"]),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x'", ["function-untrusted-language"]),
        ("CREATE TABLE t (); ALTER TABLE t SET SCHEMA s; DROP TABLE t", ["table-dropped"]),
        ("CREATE TABLE t (); ALTER TABLE t SET SCHEMA s; DROP TABLE s.t", []),
        ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1; DELETE FROM t", ["not-analysed"]),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", ["data-change-without-where"]),
        ("MERGE INTO t USING s ON true WHEN MATCHED AND t.a = 1 THEN DELETE", []),
        ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", []),
        ("DELETE FROM t WHERE NOT (1 = 2)", ["data-change-without-where"]),
        ("DELETE FROM t WHERE id IS NOT NULL", ["data-change-without-where"]),
        ("DELETE FROM t WHERE NOT (id IS NULL)", ["data-change-without-where"]),
        ("DELETE FROM t WHERE 1 < 2 AND 'a' <> 'b'", ["data-change-without-where"]),
        ("DELETE FROM t WHERE" + " NOT" * 200 + " a", ["data-change-without-where"]),
        ("DELETE FROM t WHERE false", []),
        ("DELETE FROM t WHERE NOT (a = 1)", []),
        ("DELETE FROM t WHERE a IS NULL", []),
        ("DELETE FROM t WHERE a <> a", []),
    ],
)
def test_findings_of_small_scripts(sql, expected):
    assert codes(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT WHERE a > 1", ""),
        ("CREATE INDEX ON s.t (a, b)", "CREATE INDEX CONCURRENTLY t_a_b_idx ON s.t (a, b);"),
    ],
)
def test_a_rewrite_keeps_what_was_asked_for_or_is_not_offered(sql, expected):
    (finding,) = (one for one in judge(sql).findings if one.code == "index-not-concurrent")

    assert expected in finding.rewrite
    assert bool(finding.rewrite) is bool(expected)


def test_a_finding_points_at_the_very_command_when_the_parser_knows_it():
    (finding,) = judge("ALTER TABLE t\n  ADD COLUMN a text,\n  ADD CONSTRAINT é CHECK (b > 0)").findings

    assert (finding.line, finding.column) == (3, 7)


@pytest.mark.parametrize("sql", ["CREATE INDEX CONCURRENTLY i ON t (a);\nSELECT 1;\n", "BEGIN;\nSELECT 1;\n"])
def test_the_whole_file_is_suggested_once_however_often_a_rule_applies(sql):
    found = judge(sql * 1_000).findings
    rewrites = [finding.rewrite for finding in found if finding.code != "statement-will-fail"]  # it is made again

    assert len(rewrites) == 1_000
    assert bool(rewrites[0])
    assert not any(rewrites[1:])
