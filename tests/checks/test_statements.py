"""Splitting, positions, kinds, and text that means harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import keywords

from checks.errors import Unparsable
from checks.names import KEYWORDS, derived, quote, unqualified
from checks.statements import parse

TRICKY = [
    "SELECT 1",
    "SELECT 'a;b', $$ c;d $$, $x$ $$;$$ $x$, E'\\';'",
    "/* a /* nested; */ ; */ SELECT 2",
    "-- only; a comment\nSELECT 3",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; END; $body$",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2))",
    'CREATE TABLE "a;b" ("é" text, 列 int)',
    "INSERT INTO t VALUES ('😀;', 'ü')",
    "DO $$ BEGIN RAISE NOTICE ';'; END $$",
    "CREATE INDEX CONCURRENTLY i ON t (a)",
]


def without_leading_comment(sql: str) -> str:
    return {TRICKY[2]: "SELECT 2", TRICKY[3]: "SELECT 3"}.get(sql, sql)


@given(
    st.lists(st.sampled_from(TRICKY), max_size=12), st.sampled_from([";", ";\n", " ;\n\n-- é; ;\n", ";;\t/* 😀 ; */"])
)
def test_statements_joined_and_split_again_are_equal_byte_for_byte(chosen, separator):
    text = "".join(sql + separator for sql in chosen)

    script = parse(text)

    assert [statement.sql for statement in script.statements] == [without_leading_comment(sql) for sql in chosen]
    for statement in script.statements:
        assert text[statement.offset : statement.offset + len(statement.sql)] == statement.sql
        assert (statement.line, statement.column) == script.position(statement.offset)


def parsed_or_refused(text):
    try:
        return parse(text), None
    except Unparsable as refusal:
        return None, refusal


@given(st.text(max_size=200))
def test_any_text_is_either_parsed_or_refused_with_a_place_in_it(text):
    script, refusal = parsed_or_refused(text)

    if refusal is not None:
        assert 0 <= refusal.offset <= len(text)
        assert min(refusal.line, refusal.column) >= 1
    if script is not None:
        assert all(statement.sql in text for statement in script.statements)


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing", "/* a /* b */ ; */", ";;", "\ufeff"])
def test_text_without_a_statement_has_none(text):
    assert parse(text).statements == ()


@pytest.mark.parametrize("name", ["\u00a0", "a\u00a0", "x\u3000"])
def test_a_space_that_is_part_of_a_name_to_postgresql_is_kept(name):
    assert parse(f"SELECT 1 AS {name} ;").statements[0].sql == f"SELECT 1 AS {name}"


def test_positions_count_characters_not_bytes():
    second = parse("-- é😀\nSELECT 'ü😀'; SELECT 2").statements[1]

    assert (second.line, second.column, second.offset) == (2, 14, 19)


def test_an_error_after_other_alphabets_is_placed_right():
    with pytest.raises(Unparsable) as refusal:
        parse("SELECT 'é😀';\nSELECT 'ü', selec FROM FROM t")

    assert (refusal.value.line, refusal.value.column) == (2, 24)


def test_a_byte_order_mark_is_no_part_of_the_first_statement():
    assert [statement.sql for statement in parse("\ufeffSELECT 1; SELECT 2").statements] == ["SELECT 1", "SELECT 2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1; SELEC 2", "syntax error"),
        ("\\connect shop", "psql"),
        ("SELECT :'name'", "psql"),
        ("COPY t FROM stdin;\n1\tx\n\\.\n", "syntax error"),
        ("SELECT 1\0; DROP TABLE t", "NUL"),
        ("SELECT '\ud800'", "surrogate"),
        ("SELECT '", "unterminated"),
        ("/* never closed", "unterminated"),
        ("SELECT $$ never closed", "unterminated"),
    ],
)
def test_what_is_not_postgresql_is_refused_with_its_reason(text, words):
    with pytest.raises(Unparsable, match=words):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
        "(" * 100_000,
        "SELECT " + "[" * 20_000,
        "SELECT 1" + " UNION SELECT 1" * 50_000,
        "SELECT 1" + "+1" * 200_000,
        "SELECT 1" + "::int" * 200_000,
        "SELECT a" + " COLLATE c" * 100_000,
        "SELECT * FROM t" + " CROSS JOIN t" * 100_000,
        "SELECT (1,(2" + "+1" * 200_000 + "))",
        "SELECT f(1" + "||'a'" * 100_000 + ", 2)",
        "SELECT 1" + " UNION SELECT (1, 2)" * 50_000,
    ],
    ids=range(11),
)
def test_absurd_nesting_is_refused_and_does_not_end_the_process(text):
    with pytest.raises(Unparsable, match="nested too deeply"):
        parse(text)


@pytest.mark.parametrize("text", ["SELECT 1" + " UNION SELECT 1" * 1_990, "SELECT 1" + "+1" * 2_900])
def test_what_is_just_allowed_does_not_end_the_process_even_in_a_thread(text):
    with ThreadPoolExecutor(1) as pool:
        script = pool.submit(parse, text).result()

    assert len(script.statements) == 1


def test_a_long_list_of_rows_is_not_deep():
    rows = ",\n".join(f"({number}, 'x'::text, -1, now() + interval '1 day')" for number in range(4_000))

    assert len(parse(f"INSERT INTO t VALUES {rows};").statements) == 1


@pytest.mark.parametrize(
    ("sql", "kind", "outside"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX CONCURRENTLY", True),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX", False),
        ("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY", True),
        ("REINDEX INDEX CONCURRENTLY i", "REINDEX INDEX CONCURRENTLY", True),
        ("REINDEX (CONCURRENTLY FALSE) TABLE t", "REINDEX TABLE", False),
        ("REINDEX TABLE t", "REINDEX TABLE", False),
        ("REINDEX DATABASE d", "REINDEX DATABASE", True),
        ("REINDEX SYSTEM d", "REINDEX SYSTEM", True),
        ("REINDEX SCHEMA s", "REINDEX SCHEMA", True),
        ("VACUUM t", "VACUUM", True),
        ("ANALYZE t", "ANALYZE", False),
        ("ALTER SYSTEM SET work_mem = '1MB'", "ALTER SYSTEM", True),
        ("CREATE DATABASE d", "CREATE DATABASE", True),
        ("DROP DATABASE d", "DROP DATABASE", True),
        ("ALTER DATABASE d SET TABLESPACE x", "ALTER DATABASE", True),
        ("CREATE TABLESPACE x LOCATION '/x'", "CREATE TABLESPACE", True),
        ("DROP TABLESPACE x", "DROP TABLESPACE", True),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "ALTER TABLE", True),
        ("ALTER TABLE t DETACH PARTITION p", "ALTER TABLE", False),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "CREATE SUBSCRIPTION", True),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = false)", "CREATE SUBSCRIPTION", False),
        ("DISCARD ALL", "DISCARD", True),
        ("DISCARD PLANS", "DISCARD", False),
        ("CLUSTER", "CLUSTER", True),
        ("CLUSTER t USING i", "CLUSTER", False),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", "REFRESH MATERIALIZED VIEW CONCURRENTLY", False),
        ("ALTER TYPE e ADD VALUE 'x'", "ALTER TYPE", False),
        ("ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE RENAME", False),
        ("DROP MATERIALIZED VIEW m", "DROP MATERIALIZED VIEW", False),
        ("COMMIT", "COMMIT", False),
    ],
)
def test_kind_and_whether_it_runs_outside_a_transaction(sql, kind, outside):
    (statement,) = parse(sql).statements

    assert (statement.kind, statement.outside_transaction) == (kind, outside)


@pytest.mark.parametrize("sql", ["BEGIN", "START TRANSACTION", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a"])
def test_transaction_control_is_recognised(sql):
    assert parse(sql).statements[0].transaction_control


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('CREATE INDEX CONCURRENTLY "I" ON s."T" (a)', ("create", "s", "I", "T", False, False)),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", ("create", None, "i", "t", True, True)),
        ("CREATE INDEX CONCURRENTLY ON t (a)", ("create", None, None, "t", False, False)),
        ("DROP INDEX CONCURRENTLY IF EXISTS s.i", ("drop", "s", "i", None, True, False)),
        ("DROP INDEX CONCURRENTLY i", ("drop", None, "i", None, False, False)),
        ("REINDEX INDEX CONCURRENTLY s.i", ("reindex", "s", "i", None, False, False)),
        ("REINDEX TABLE CONCURRENTLY s.t", ("reindex", "s", None, "t", False, False)),
    ],
)
def test_what_the_catalogue_must_show_after_a_concurrent_index(sql, expected):
    index = parse(sql).statements[0].concurrent_index

    assert index is not None
    found = (index.action, index.schema, index.name, index.table, index.if_exists_or_not, index.unique)
    assert found == expected


def test_two_spellings_of_one_index_are_normalised_to_the_same_text():
    first, second = (
        parse(sql).statements[0].concurrent_index
        for sql in ("create index concurrently i on t(a)", "CREATE  INDEX CONCURRENTLY i\nON t USING btree (a)")
    )

    assert first is not None
    assert first == second


def test_relations_are_named_as_written_and_with_queries_are_not_tables():
    (statement,) = parse('WITH q AS (SELECT 1 FROM s."A") INSERT INTO b SELECT * FROM q, s.q').statements

    assert set(statement.relations) == {'s."A"', "b", "s.q"}


def test_the_words_that_need_quotes_are_the_parsers():
    assert KEYWORDS == keywords.RESERVED_KEYWORDS | keywords.TYPE_FUNC_NAME_KEYWORDS | keywords.COL_NAME_KEYWORDS


@given(st.text(min_size=1, max_size=20).filter(lambda name: "\0" not in name and name.isprintable()))
def test_a_quoted_name_is_read_back_as_the_same_name(name):
    assert unqualified(f"s.{quote(name)}") == name
    assert len(unqualified(derived(quote(name * 5), "new")).encode()) <= 63
