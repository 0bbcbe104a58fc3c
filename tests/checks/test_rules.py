"""Every rule finds its bad example, leaves its good one alone, and has its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.docs import pages
from checks.report import Part, judge
from checks.rules import RULES, UNPARSABLE, VERIFY_RULES
from checks.statements import parse

PAGES = Path(__file__).parents[2] / "docs" / "checks"
EVERY_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def codes(sql: str) -> list[str]:
    return [finding.code for finding in judge(sql).findings]


@EVERY_RULE
def test_the_bad_example_is_found_and_is_valid_sql(rule):
    report = judge(rule.bad)

    assert report.is_analysed
    assert rule.code in [finding.code for finding in report.findings]


@EVERY_RULE
def test_the_good_example_has_no_finding_at_all(rule):
    assert codes(rule.good) == []
    assert judge(rule.good).is_analysed


@EVERY_RULE
def test_every_suggested_rewrite_can_be_parsed(rule):
    rewrites = [finding.rewrite for finding in judge(rule.bad).findings if finding.rewrite]

    for rewrite in rewrites:
        assert parse(rewrite).statements


@EVERY_RULE
def test_every_text_of_a_rule_is_written(rule):
    assert all(text.strip() for text in (rule.title, rule.why, rule.help, rule.bad, rule.good))


def test_every_rule_file_is_in_the_tuple_and_no_code_is_used_twice():
    files = {path.stem.replace("_", "-") for path in (Path(__file__).parents[2] / "checks" / "rules").glob("[a-z]*.py")}
    listed = [rule.code for rule in (*RULES, *VERIFY_RULES, UNPARSABLE)]

    assert sorted(listed) == sorted(files)


def test_the_pages_are_what_the_rules_say_today():
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}

    assert written == pages(), "run: python -m checks.docs"


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
        ("ALTER TABLE t DROP COLUMN a CASCADE", ["column-dropped"]),
        ("DROP TABLE a, b CASCADE", ["table-dropped", "table-dropped"]),
        ("DROP VIEW v CASCADE", []),
        ("ALTER TABLE t ADD UNIQUE (a)", ["constraint-not-valid-first"]),
        ("ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", []),
        ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", ["constraint-not-valid-first"]),
        ("ALTER TABLE t ADD COLUMN a int REFERENCES r", []),
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
        ("SET statement_timeout = '1s'; CREATE INDEX CONCURRENTLY a ON t (x)", ["mixed-transaction"]),
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
        ("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i", ["set-not-null-scan"]),
        ("CREATE TABLE t (); ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX i", []),
        ("CREATE TABLE t (); ALTER TABLE t SET SCHEMA s; DROP TABLE t", ["table-dropped"]),
        ("CREATE TABLE t (); ALTER TABLE t SET SCHEMA s; DROP TABLE s.t", []),
        (
            "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1; DELETE FROM t",
            ["data-change-without-where"],
        ),
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


def test_not_null_is_proven_only_by_a_check_of_the_same_column_that_was_validated():
    check = "ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID;"
    validate = "ALTER TABLE t VALIDATE CONSTRAINT k;"

    assert codes(check + validate + "ALTER TABLE t ALTER a SET NOT NULL") == []
    assert codes(check + "ALTER TABLE t ALTER a SET NOT NULL") == ["set-not-null-scan"]
    assert codes(check + validate + "ALTER TABLE t ALTER b SET NOT NULL") == ["set-not-null-scan"]


def test_a_rewrite_quotes_the_names_of_the_statement():
    (finding,) = judge('ALTER TABLE "Sales"."Order" ALTER COLUMN "Total" SET NOT NULL').findings

    assert 'ALTER TABLE "Sales"."Order" ADD CONSTRAINT "Total_not_null" CHECK ("Total" IS NOT NULL)' in finding.rewrite


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE t ADD UNIQUE (a)", "CREATE UNIQUE INDEX CONCURRENTLY t_a_key ON t (a);"),
        ("ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a)", ""),
        ("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a) INCLUDE (b)", ""),
        ("ALTER TABLE t ADD CHECK (a > 0)", "ALTER TABLE t ADD CONSTRAINT t_check CHECK (a > 0) NOT VALID;"),
        ('ALTER TABLE t ALTER a TYPE text COLLATE "C"', 'ALTER TABLE t ADD COLUMN a_new text COLLATE "C";'),
        ("CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT WHERE a > 1", ""),
        ("CREATE INDEX ON s.t (a, b)", "CREATE INDEX CONCURRENTLY t_a_b_idx ON s.t (a, b);"),
    ],
)
def test_a_rewrite_keeps_what_was_asked_for_or_is_not_offered(sql, expected):
    (finding,) = judge(sql).findings

    assert expected in finding.rewrite
    assert bool(finding.rewrite) is bool(expected)


def test_a_finding_points_at_the_very_command_when_the_parser_knows_it():
    (finding,) = judge("ALTER TABLE t\n  ADD COLUMN a text,\n  ADD CONSTRAINT é CHECK (b > 0)").findings

    assert (finding.line, finding.column) == (3, 7)


@pytest.mark.parametrize("sql", ["CREATE INDEX CONCURRENTLY i ON t (a);\nSELECT 1;\n", "BEGIN;\nSELECT 1;\n"])
def test_the_whole_file_is_suggested_once_however_often_a_rule_applies(sql):
    rewrites = [finding.rewrite for finding in judge(sql * 1_000).findings]

    assert len(rewrites) == 1_000
    assert bool(rewrites[0])
    assert not any(rewrites[1:])


def test_a_primary_key_is_suggested_with_its_columns_proven_before():
    (finding,) = judge("ALTER TABLE t ADD PRIMARY KEY (a, b)").findings

    assert finding.rewrite.index("VALIDATE CONSTRAINT b_not_null") < finding.rewrite.index("USING INDEX t_pkey")
    assert "ALTER COLUMN a SET NOT NULL, ALTER COLUMN b SET NOT NULL" in finding.rewrite


@pytest.mark.parametrize("rule", VERIFY_RULES, ids=lambda rule: rule.code)
def test_a_verify_script_is_asked_more(rule):
    assert [finding.code for finding in judge(rule.bad, part=Part.VERIFY).findings] == [rule.code]
    assert judge(rule.good, part=Part.VERIFY).findings == ()
    assert rule.code not in codes(rule.bad)
