"""Rules about indexes: what blocks, what is superfluous, what may fail, and what harms nobody."""

from __future__ import annotations

import pytest

from tests.checks.rules.judging import codes, findings, only

ORDERS = "CREATE TABLE orders (id bigint PRIMARY KEY, a int, b int, note text);"
EVENTS = (
    "CREATE TABLE events (at date, kind text) PARTITION BY RANGE (at);"
    "CREATE TABLE e1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
    "CREATE TABLE \"E 2\" PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
)


@pytest.mark.parametrize(
    ("sql", "given", "expected"),
    [
        ("CREATE INDEX i ON orders (a)", ORDERS, ["index-not-concurrent"]),
        ("CREATE INDEX i ON orders (a)", None, ["index-not-concurrent"]),
        ("CREATE TABLE t (a int); CREATE INDEX i ON t (a)", ORDERS, []),
        ("CREATE TABLE t (a int); CREATE INDEX i ON t (a)", None, []),
        (
            "CREATE TABLE IF NOT EXISTS orders (id bigint); CREATE INDEX i ON orders (id)",
            None,
            ["index-not-concurrent"],
        ),
        ("CREATE INDEX CONCURRENTLY i ON orders (a)", ORDERS, []),
        ("CREATE INDEX IF NOT EXISTS orders_pkey ON orders (a)", ORDERS, []),
        ("DROP INDEX CONCURRENTLY i", None, []),
        ("DROP INDEX i", None, ["index-drop-not-concurrent"]),
        ("DROP INDEX IF EXISTS i", ORDERS, []),
        ("DROP INDEX i", ORDERS + "CREATE INDEX i ON orders (a);", ["index-drop-not-concurrent"]),
        ("CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i", ORDERS, []),
        ("REINDEX TABLE CONCURRENTLY orders", ORDERS, []),
        ("REINDEX TABLE orders", ORDERS, ["reindex-not-concurrent"]),
        ("REINDEX INDEX i", None, ["reindex-not-concurrent"]),
        ("REINDEX SCHEMA public", ORDERS, ["reindex-not-concurrent"]),
        ("CREATE INDEX i ON events (kind)", EVENTS, ["index-on-partitioned"]),
        ("CREATE INDEX i ON ONLY events (kind)", EVENTS, []),
    ],
)
def test_what_is_found_about_indexes(sql, given, expected):
    told = {"index-not-concurrent", "index-drop-not-concurrent", "reindex-not-concurrent", "index-on-partitioned"}

    assert [code for code in codes(sql, given) if code in told] == expected


def test_a_drop_that_takes_uniqueness_away_says_so_and_names_the_table():
    given = ORDERS + 'CREATE UNIQUE INDEX "Note" ON orders (note);'

    found = only("index-drop-not-concurrent", 'DROP INDEX "Note"', given)

    assert 'nothing keeps the values of "Note" unique' in found.message
    assert "ACCESS EXCLUSIVE on orders" in found.message
    assert found.rewrite.endswith('DROP INDEX CONCURRENTLY "Note";')


def test_an_index_on_a_partitioned_table_is_divided_into_one_for_each_partition():
    rewrite = only("index-on-partitioned", "CREATE UNIQUE INDEX kinds ON events (at, kind)", EVENTS).rewrite

    assert "CREATE UNIQUE INDEX kinds ON ONLY events (at, kind);" in rewrite
    assert 'CREATE UNIQUE INDEX CONCURRENTLY "E 2_kinds" ON "E 2" (at, kind);' in rewrite
    assert 'ALTER INDEX kinds ATTACH PARTITION "E 2_kinds";' in rewrite
    assert (
        rewrite.index("ON ONLY") < rewrite.index("-- file 2") < rewrite.index("CONCURRENTLY") < rewrite.index("ATTACH")
    )


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY j ON orders (a, b)", True),
        ("DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY j ON orders (b, a)", False),
        ("DROP INDEX CONCURRENTLY i; CREATE INDEX CONCURRENTLY j ON other (a)", False),
        ("CREATE INDEX CONCURRENTLY j ON orders (a, b); DROP INDEX CONCURRENTLY i", False),
        ("DROP INDEX i; CREATE INDEX j ON orders (a, b)", False),  # in one transaction nobody sees the gap
        ("DROP INDEX CONCURRENTLY gone; CREATE INDEX CONCURRENTLY j ON orders (a)", False),
    ],
)
def test_an_index_that_is_dropped_before_its_successor_is_there(sql, is_found):
    given = ORDERS + "CREATE INDEX i ON orders (a); CREATE TABLE other (a int);"

    assert ("index-dropped-first" in codes(sql, given)) is is_found


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("CREATE INDEX CONCURRENTLY j ON orders (a)", "ab on orders has the same leading columns already"),
        ("CREATE INDEX CONCURRENTLY j ON orders (a, b)", "ab on orders has the same leading columns already"),
        ("CREATE INDEX CONCURRENTLY j ON orders (a, b, note)", "j has the columns of ab in front"),
        ("CREATE INDEX CONCURRENTLY j ON orders (id)", "orders_pkey on orders has the same"),
        ("CREATE INDEX CONCURRENTLY j ON orders (a, b, note); DROP INDEX CONCURRENTLY ab", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders (b)", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders (a) WHERE b > 0", ""),
        ("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (a)", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders USING hash (a)", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders (a text_pattern_ops)", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders ((a + 1))", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders (a DESC, b)", ""),
        ("CREATE INDEX CONCURRENTLY j ON orders (a) INCLUDE (note)", ""),
    ],
)
def test_an_index_is_superfluous_only_when_another_serves_every_search_that_it_serves(sql, words):
    told = [
        one.message
        for one in findings(sql, ORDERS + "CREATE INDEX ab ON orders (a, b);")
        if one.code == "index-redundant"
    ]

    assert [words in one for one in told] == ([True] if words else [])


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (a, b)", "WHERE a IS NOT NULL AND b IS NOT NULL\nGROUP BY a, b"),
        ("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (a) NULLS NOT DISTINCT", "FROM orders\nGROUP BY a"),
        ("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (lower(note))", "GROUP BY (lower(note))"),
        ("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (a) WHERE b > 1", "WHERE a IS NOT NULL AND (b > 1)"),
    ],
)
def test_a_unique_index_on_rows_comes_with_the_query_for_what_stands_in_the_way(sql, query):
    assert query in only("index-unique-on-rows", sql, ORDERS).rewrite


def test_rows_that_are_unique_already_or_just_made_are_not_asked_about():
    assert "index-unique-on-rows" not in codes("CREATE UNIQUE INDEX CONCURRENTLY j ON orders (a, id)", ORDERS)
    assert "index-unique-on-rows" not in codes("CREATE TABLE t (a int); CREATE UNIQUE INDEX j ON t (a)", ORDERS)


def test_a_wide_index_is_a_matter_of_taste():
    sql = "CREATE INDEX CONCURRENTLY j ON orders (a, b, note, id)"

    assert "index-wide" not in codes(sql, ORDERS)
    assert "index-wide" in codes(sql, ORDERS, style=True)
    assert "index-wide" not in codes(sql.replace("INDEX", "UNIQUE INDEX"), ORDERS, style=True)
