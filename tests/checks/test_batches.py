"""Data changes that a comment declares as batched: what is sent for one batch, and why some cannot be."""

import pytest

from checks.batching.declared import with_batches
from checks.batching.limit import over_limit
from checks.batching.plain import plain_changes
from checks.context import World
from checks.finding import Report
from checks.model import EMPTY, Size
from checks.model.replay import replay_script
from checks.report import judge
from checks.risk import Risk
from checks.statements import parse

GIVEN = """
CREATE TABLE orders (id bigint PRIMARY KEY, total bigint, code text UNIQUE, status text, at timestamptz);
CREATE TABLE lines (tenant int, "No" int, order_id bigint REFERENCES orders, note text, PRIMARY KEY (tenant, "No"));
CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes, place int UNIQUE DEFERRABLE);
CREATE TABLE archive (id bigint, total bigint);
CREATE TABLE log (id bigint PRIMARY KEY, at date) PARTITION BY RANGE (id);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
CREATE TABLE bases (id int PRIMARY KEY);
CREATE TABLE heirs () INHERITS (bases);
CREATE TABLE ruled (id int PRIMARY KEY, a int);
CREATE RULE nothing AS ON UPDATE TO ruled DO INSTEAD NOTHING;
CREATE TABLE notes (body text NOT NULL UNIQUE, a int);
CREATE VIEW sums AS SELECT sum(total) AS total FROM orders;
"""
KEYS = {
    "orders": "id",
    "lines": 'tenant,"No"',
    "log": "id",
    "nodes": "id",
    "bases": "id",
    "ruled": "id",
    "sums": "total",
}


def world(*, rows: int | None = None, size: int | None = None) -> World:
    schema = replay_script(EMPTY, parse(GIVEN))
    orders = schema.find("orders")
    if size is not None:
        schema = schema.having(type(orders)(**_fields(orders) | {"size": Size(bytes=size, rows=rows)}))
    return World(schema)


def _fields(relation) -> dict:
    return {name: getattr(relation, name) for name in relation.__slots__}


def comment(table: str = "orders", key: str = "", size: int = 5000) -> str:
    return f"-- locktender: batch table={table} key={key or KEYS[table]} size={size}\n"


def judged(sql: str, table: str = "orders", key: str = "") -> Report:
    return judge(comment(table, key) + sql, world=world())


def refusals(report: Report) -> list[str]:
    return [one.message for one in report.findings if one.code == "batch-not-possible"]


def sent(sql: str, table: str = "orders", key: str = "") -> str:
    report = judged(sql, table, key)
    assert refusals(report) == []
    return report.statements[-1].batch.sql


@pytest.mark.parametrize(
    ("sql", "narrowed"),
    [
        ("UPDATE orders SET total = 0", "UPDATE orders SET total = 0 WHERE orders.id >= $1 AND orders.id <= $2"),
        (
            "UPDATE public.orders AS o SET total = 0 /* all */ WHERE a OR b",
            "UPDATE public.orders AS o SET total = 0 WHERE (a OR b) AND o.id >= $1 AND o.id <= $2",
        ),
        (
            "DELETE FROM ONLY orders USING lines WHERE order_id = orders.id AND note = 'it''s'",
            (
                "DELETE FROM ONLY orders USING lines WHERE order_id = orders.id AND note = 'it''s'"
                " AND orders.id >= $1 AND orders.id <= $2"
            ),
        ),
        (
            (
                "INSERT INTO archive SELECT o.id, total FROM orders o LEFT JOIN lines l ON order_id = o.id"
                " WHERE total > 5 ON CONFLICT DO NOTHING"
            ),
            (
                "INSERT INTO archive SELECT o.id, total FROM orders AS o LEFT JOIN lines AS l ON order_id = o.id"
                " WHERE total > 5 AND o.id >= $1 AND o.id <= $2 ON CONFLICT DO NOTHING"
            ),
        ),
        (
            "WITH few AS (SELECT 1 AS id) UPDATE orders SET total = 0 WHERE id NOT IN (SELECT id FROM few)",
            (
                "WITH few AS (SELECT 1 AS id) UPDATE orders SET total = 0 WHERE NOT id IN (SELECT id FROM few)"
                " AND orders.id >= $1 AND orders.id <= $2"
            ),
        ),
    ],
)
def test_the_range_is_added_to_the_condition_through_the_tree(sql, narrowed):
    assert sent(sql) == narrowed


def test_a_key_of_several_columns_is_compared_as_a_row_and_names_keep_their_quotes():
    assert sent("UPDATE lines SET note = ''", "lines") == (
        "UPDATE lines SET note = '' WHERE (lines.tenant, lines.\"No\") >= ($1, $2)"
        ' AND (lines.tenant, lines."No") <= ($3, $4)'
    )


def test_what_is_sent_is_read_again_and_is_the_same_tree(monkeypatch):
    """The writer is not trusted: text that it gets wrong is refused, not sent."""
    batched = with_batches(parse(comment() + "UPDATE orders SET total = 0")).statements[0]
    assert batched.batch.problem == ""
    monkeypatch.setattr("checks.tree.Tree.sql", lambda _: "UPDATE orders SET total = 1 WHERE orders.id >= $1")

    batched = with_batches(parse(comment() + "UPDATE orders SET total = 0")).statements[0]

    assert batched.batch.sql == ""
    assert "cannot be written back exactly" in batched.batch.problem


@pytest.mark.parametrize(
    ("sql", "table", "why"),
    [
        ("UPDATE orders SET id = id + 1", "orders", "it changes id, the key that the batches go by"),
        ("UPDATE orders SET (total, id) = (1, 2)", "orders", "it changes id"),
        ("UPDATE archive SET total = 0", "orders", "it changes rows of archive, not of orders"),
        ("SELECT total FROM orders", "orders", "only UPDATE, DELETE and INSERT … SELECT can be batched"),
        ("INSERT INTO archive VALUES (1, 2)", "orders", "only UPDATE, DELETE and INSERT … SELECT can be batched"),
        ("MERGE INTO orders o USING archive a ON a.id = o.id WHEN MATCHED THEN DELETE", "orders", "only UPDATE"),
        ("INSERT INTO archive SELECT id, sum(total) FROM orders GROUP BY id", "orders", "GROUP BY"),
        ("INSERT INTO archive SELECT count(*), 1 FROM orders", "orders", "count()"),
        ("INSERT INTO archive SELECT id, rank() OVER (ORDER BY id) FROM orders", "orders", "rank()"),
        ("INSERT INTO archive SELECT id, total FROM orders LIMIT 5", "orders", "LIMIT"),
        ("INSERT INTO archive SELECT DISTINCT id, total FROM orders", "orders", "DISTINCT"),
        ("INSERT INTO archive SELECT id, 1 FROM orders UNION ALL SELECT 1, 1", "orders", "UNION"),
        ("INSERT INTO archive SELECT o.id, 1 FROM lines LEFT JOIN orders o ON true", "orders", "outer join"),
        ("INSERT INTO archive SELECT o.id, 1 FROM orders o, orders p", "orders", "exactly once"),
        ("INSERT INTO orders SELECT id + 100, total FROM orders", "orders", "it also reads orders"),
        ("UPDATE orders SET total = (SELECT max(total) FROM orders)", "orders", "it also reads orders"),
        ("DELETE FROM orders WHERE id IN (SELECT id FROM orders LIMIT 5)", "orders", "it also reads orders"),
        ("UPDATE orders SET total = (SELECT total FROM sums)", "orders", "it reads sums, behind which is orders"),
        ("UPDATE log SET at = at FROM log_1 WHERE log_1.id = log.id", "log", "it reads log_1"),
        ("WITH gone AS (DELETE FROM lines RETURNING 1) DELETE FROM orders", "orders", "a query in WITH writes"),
        ("DELETE FROM orders RETURNING id", "orders", "nobody reads what RETURNING returns"),
        ("DELETE FROM orders WHERE CURRENT OF c", "orders", "cannot be written back exactly"),
        ("DELETE FROM orders WHERE at < now() - interval '1 day'", "orders", "now() in a condition moves on"),
        ("DELETE FROM orders WHERE at < CURRENT_DATE", "orders", "CURRENT_DATE in a condition moves on"),
        ("UPDATE orders SET total = txid_current()", "orders", "txid_current() is another for every batch"),
        ("DELETE FROM nodes WHERE id > 5", "nodes", "rows of nodes refer to each other by nodes_parent_fkey"),
        ("UPDATE nodes SET place = place + 1", "nodes", "nodes_place_key is checked at the end"),
        ("UPDATE bases SET id = id", "bases", "tables inherit from bases"),
        ("UPDATE ruled SET a = 1", "ruled", "a rule of ruled puts another statement in the place"),
        ("DELETE FROM sums", "sums", "sums is a view"),
    ],
)
def test_what_would_do_something_else_in_batches_is_refused_with_the_reason(sql, table, why):
    told = refusals(judged(sql, table))

    assert any(why in one for one in told), told


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE orders SET at = now(), total = random() * 5",
        "UPDATE orders SET total = (SELECT count(*) FROM lines WHERE order_id = orders.id)",
        "UPDATE ONLY bases SET id = id",
        "DELETE FROM orders WHERE total = (SELECT max(total) FROM archive)",
    ],
)
def test_what_is_the_same_for_each_row_is_not_refused(sql):
    table = "bases" if "bases" in sql else "orders"
    assert [one for one in refusals(judged(sql, table)) if "it changes id" not in one] == []


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("code", "code is neither the primary key of orders nor a unique B-tree index"),
        ("total", "Usable here: key=id."),
        ("nope", "orders has no column nope"),
    ],
)
def test_a_key_must_be_one_in_the_table_and_those_that_are_stand_there(key, why):
    [told] = refusals(judged("DELETE FROM orders WHERE id > 5", key=key))
    assert why in told


def test_a_unique_index_on_columns_without_nulls_will_do():
    assert "notes.body >= $1" in sent("UPDATE notes SET a = 1", "notes", "body")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("batch", "it must say table=TABLE key=COLUMN size=ROWS"),
        ("batch table=orders key=id", "it must say table=TABLE"),
        ("batch table=orders key=id size=5000 fast=yes", "it must say table=TABLE"),
        ("batch table=orders key=id size=0", "size must be a number of rows from 1 to 100,000"),
        ("batch table=orders key=id size=100001", "size must be a number"),
        ("batch table=orders key=id,id size=5", '"id,id" is not a list of columns'),
        ("batch table=a-b key=id size=5", '"a-b" is not the name of a table'),
    ],
)
def test_a_comment_that_cannot_be_read_refuses_its_statement_instead_of_running_it_in_one_piece(said, why):
    report = judge(f"-- locktender: {said}\nUPDATE orders SET total = 0", world=world())

    [told] = refusals(report)
    assert why in told


def test_two_comments_on_one_statement_are_refused():
    assert "keep one of them" in refusals(judge(comment() * 2 + "UPDATE orders SET total = 0", world=world()))[0]


def test_a_comment_is_about_the_next_statement_also_at_the_top_of_a_file():
    report = judge(comment() + "\nUPDATE orders SET total = 0;\nUPDATE lines SET note = ''", world=world())

    assert [one.batch is not None for one in report.statements] == [True, False]
    assert "mixed-transaction" in {one.code for one in report.findings}


def test_a_table_that_nobody_knows_is_left_to_the_executor_to_judge():
    assert refusals(judge(comment() + "UPDATE orders SET total = 0")) == []


def test_batches_keep_nothing_locked_for_long_and_ask_for_less_care():
    plain, batched = judge("UPDATE orders SET total = 0", world=world()), judged("UPDATE orders SET total = 0")

    assert (plain.classified.risk, batched.classified.risk) == (Risk.HIGH, Risk.CONTROLLED)
    assert batched.classified.reasons == ("line 2: UPDATE changes rows of orders in batches of at most 5,000",)
    assert "data-change-without-where" not in {one.code for one in batched.findings}
    assert all(one.slow_seconds < 1 for one in batched.estimates[0] if one.relation.name == "orders")


def test_what_changes_every_row_in_one_piece_is_shown_with_the_line_that_has_it_batched():
    [found] = [
        one
        for one in judge("UPDATE orders SET total = 0", world=world()).findings
        if one.code == "data-change-without-where"
    ]
    assert found.rewrite == comment() + "UPDATE orders SET total = 0;"


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        ("UPDATE orders SET total = 0", 1_000_000),
        ("UPDATE orders SET total = 0 WHERE status = 'new'", 1_000_000),
        ("DELETE FROM orders WHERE id = 5 AND status = 'new'", 1),
        ("DELETE FROM orders o WHERE o.id IN (1, 2, 3)", 3),
        ("DELETE FROM orders WHERE id BETWEEN 11 AND 20", 10),
        ("DELETE FROM orders WHERE id > 5 OR id = 1", 1_000_000),
        ("DELETE FROM orders USING lines l WHERE l.id = 5", 1_000_000),
        ("DELETE FROM orders USING lines WHERE orders.id = 5", 1),
        ("UPDATE lines SET note = '' WHERE tenant = 1", None),
        ("UPDATE lines SET note = '' WHERE tenant = 1 AND \"No\" IN (1, 2)", 2),
    ],
)
def test_how_many_rows_a_change_reaches_is_told_by_its_key_or_by_the_table(sql, most):
    known = world(rows=1_000_000, size=10**8)

    [change] = plain_changes(judge(sql, world=known).context)

    assert change.rows == most
    assert bool(over_limit(change, 100)) is (most is None or most > 100)
    assert over_limit(change, None) is None


def test_a_table_that_was_never_counted_has_no_more_rows_than_its_bytes_allow():
    [change] = plain_changes(judge("UPDATE orders SET total = 0", world=world(size=28_000)).context)
    assert change.rows == 1_000


def test_what_the_script_made_itself_and_what_is_batched_is_not_limited():
    text = "CREATE TABLE t (id int); UPDATE t SET id = 1;\n" + comment() + "UPDATE orders SET total = 0"
    assert list(plain_changes(judge(text, world=world()).context)) == []


def test_a_change_that_cannot_be_batched_says_why_instead_of_a_comment_that_would_be_refused():
    sql = "UPDATE orders SET total = (SELECT max(total) FROM orders)"
    [change] = plain_changes(judge(sql, world=world()).context)

    refused = over_limit(change, 100)

    assert change.directive == ""
    assert "It cannot be run in batches yet: it also reads orders" in refused.help
    assert refused.rewrite == ""
