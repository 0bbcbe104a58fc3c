"""What histories of others have shown: names in nested queries, and a schema that code may have changed."""

from __future__ import annotations

import pytest

from checks.locks import Mode, effects_of
from checks.locks.queries import uses_in
from checks.model import EMPTY
from checks.model.replay import replay_script
from checks.statements import parse

VIEW = "CREATE TABLE users (id int); CREATE VIEW ranks AS SELECT id FROM users;"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t", {"t": Mode.ACCESS_SHARE}),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b", {"b": Mode.ACCESS_SHARE}),
        ("WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a, c", {"c": Mode.ACCESS_SHARE}),
        ("SELECT * FROM x, (WITH x AS (SELECT 1) SELECT * FROM x) y", {"x": Mode.ACCESS_SHARE}),
        (
            "WITH x AS (SELECT 1) SELECT * FROM (WITH y AS (SELECT * FROM x) SELECT * FROM y, z) w",
            {"z": Mode.ACCESS_SHARE},
        ),
        (
            "WITH x AS (DELETE FROM o RETURNING *) INSERT INTO u SELECT * FROM x",
            {"o": Mode.ROW_EXCLUSIVE, "u": Mode.ROW_EXCLUSIVE},
        ),
    ],
)
def test_the_name_of_a_with_query_is_no_table_where_it_can_be_seen(sql, named):
    (statement,) = parse(sql).statements

    assert {one.range_var.range_name(): one.mode for one in uses_in(statement.tree)} == named


@pytest.mark.parametrize(("code", "fails"), [("", True), ("DO $$ BEGIN NULL; END $$;", False)])
def test_an_index_on_a_view_fails_only_if_nothing_can_have_changed_it(code, fails):
    schema = replay_script(EMPTY, parse(VIEW + code))
    (statement,) = parse("CREATE INDEX ON ranks (id)").statements

    effects = effects_of(statement, schema, 16)

    assert bool(effects.fails) is fails
    assert bool(effects.may_fail) is not fails
