"""Queries before and after a migration, rates that statements show, and what a time on a clone lets one expect."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.context import World
from checks.durations import RATES
from checks.model import Name, Schema, Size
from checks.model.replay import replay_script
from checks.rehearsal.plans import LARGE_BYTES, Planned, changed, planned
from checks.rehearsal.proof import Outcome, Proof, Traced, here
from checks.rehearsal.queries import frequent, registered
from checks.rehearsal.rates import LEAST, Measured, measured, own_rates
from checks.report import follow, judge
from checks.statements import parse

NAMED = "-- the last orders\nSELECT * FROM orders WHERE customer = $1;\nSELECT count(*) FROM orders"


def test_registered_queries_are_called_by_the_comment_above_or_by_their_line():
    found = registered(NAMED)

    assert [(one.name, one.has_parameters) for one in found.queries] == [
        ("the last orders", True),
        ("queries.sql, line 3", False),
    ]
    assert found.refused == ()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
        "SELECT * INTO copied FROM orders",
        "SELECT * FROM orders FOR UPDATE",
        "CREATE TABLE x (id int)",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "COPY orders TO PROGRAM 'cat'",
    ],
)
def test_what_does_more_than_read_is_not_planned(query):
    found = registered(f"SELECT 1 FROM orders;\n{query}")

    assert len(found.queries) == 1
    assert len(found.refused) == 1
    assert found.refused[0].startswith("queries.sql, line 2: ")
    assert list(frequent([query])) == []


def test_a_file_that_cannot_be_read_has_no_queries_and_says_so():
    found = registered("SELEC 1")

    assert found.queries == ()
    assert found.refused[0].startswith("queries.sql cannot be read: line 1")


def test_a_frequent_query_is_called_by_its_shape():
    (one,) = frequent(
        ["SELECT name FROM users WHERE email = 'ada@example.com' AND id = $1", "cut off in the mid", "BEGIN"]
    )

    assert "ada" not in one.name
    assert one.has_parameters


def explained(*scans: str, cost: float = 10.0) -> list[dict]:
    plans = [{"Node Type": "Seq Scan", "Schema": "public", "Relation Name": name, "Total Cost": 1} for name in scans]
    return [{"Plan": {"Node Type": "Hash Join", "Total Cost": cost, "Plans": plans}}]


def test_a_new_scan_counts_on_a_large_table_only():
    sizes = {"public.orders": LARGE_BYTES, "public.shops": LARGE_BYTES - 1}
    before, after = planned(explained("users")), planned(explained("users", "orders", "shops"))

    found = [one.sentence for one in changed("q", before, after, sizes)]

    assert found == ["reads orders whole now, which it did not"]
    assert list(changed("q", after, after, sizes)) == []


@pytest.mark.parametrize(("was", "now", "is_told"), [(600, 1200, True), (601, 1200, False), (1, 999, False)])
def test_twice_the_cost_is_told_where_the_query_is_not_quick(was, now, is_told):
    found = list(changed("q", Planned(cost=was), Planned(cost=now), {}))

    assert bool(found) is is_told


def test_a_query_that_cannot_be_planned_any_more_is_told_and_one_that_never_could_is_not():
    refused = Planned(why="column tier does not exist (SQLSTATE 42703)")

    assert [one.sentence for one in changed("q", Planned(cost=1), refused, {})] == [
        "cannot be planned any more: column tier does not exist (SQLSTATE 42703)"
    ]
    assert list(changed("q", refused, refused, {})) == []


SIZE = 430_000_000


def context(sql: str, *, size: int = SIZE, rows: int = 1_000_000):
    schema = replay_script(Schema(), parse("CREATE TABLE orders (id int, total int); CREATE TABLE users (id int)"))
    for name in ("orders", "users"):
        table = schema.relations[Name("public", name)]
        schema = schema.having(replace(table, size=Size(bytes=size, rows=rows)))
    return follow(parse(sql), World(schema))


@pytest.mark.parametrize(
    ("sql", "work"),
    [
        ("CREATE INDEX i ON orders (total)", "index build"),
        ("ALTER TABLE orders ALTER COLUMN total TYPE bigint", "rewrite"),
        ("ALTER TABLE orders ALTER COLUMN total SET NOT NULL", "full scan"),
    ],
)
def test_one_work_on_one_table_of_known_size_shows_a_rate(sql, work):
    assert list(measured(context(sql), {1: 2.0})) == [Measured(work, SIZE / 2)]


def test_a_change_of_every_row_shows_rows_a_second():
    assert list(measured(context("UPDATE orders SET total = 1"), {1: 4.0})) == [Measured("rows", 250_000)]


@pytest.mark.parametrize(
    ("sql", "seconds", "size"),
    [
        ("CREATE INDEX i ON orders (total)", 0.05, SIZE),  # too short to be a measurement
        ("CREATE INDEX i ON orders (total)", 2.0, 1_000_000),  # too small
        ("UPDATE orders SET total = 1 WHERE id = 7", 2.0, SIZE),  # nobody knows how many rows
        ("ALTER TABLE orders ADD COLUMN note text", 2.0, SIZE),  # nothing that grows with its size
        ("CREATE TABLE new (id int); CREATE INDEX i ON new (id)", 2.0, SIZE),
    ],
)
def test_what_is_no_measurement_shows_no_rate(sql, seconds, size):
    assert list(measured(context(sql, size=size), {1: seconds})) == []


def test_enough_measurements_take_the_place_of_the_default_by_their_median():
    found = [Measured("index build", speed) for speed in (10.0, 20.0, 9_000.0)]

    assert own_rates(found[: LEAST - 1]) == RATES
    own = own_rates([*found, Measured("unknown work", 1.0)])
    assert (own.build, own.rewrite, own.own) == (20.0, RATES.rewrite, frozenset({"build"}))


def test_a_reason_says_that_its_rate_was_measured_here_and_only_then():
    sql, world = "CREATE INDEX i ON orders (total)", context("SELECT 1").world
    slow = own_rates([Measured("index build", 1_000_000.0)] * LEAST)

    usual = judge(sql, world=world).classified
    own = judge(sql, world=replace(world, rates=slow)).classified
    other = judge(sql, world=replace(world, rates=replace(RATES, own=frozenset({"scan"})))).classified

    assert not any("rehearsals measured here" in one for one in (*usual.reasons, *other.reasons))
    assert any("rehearsals measured here" in one for one in own.reasons)
    assert own.risk >= usual.risk


def test_a_time_on_a_clone_is_told_with_its_size_and_a_range_for_here():
    one = Traced("001", "forward", 1, 1, "CREATE INDEX", 0.4)

    told = here(one, clone_bytes=1_200_000_000, target_bytes=1_600_000_000)
    assert told == "0.4 s on a clone of 1.2 GB; here likely 0.3 to 1.1 s"
    assert here(one, clone_bytes=1_200_000_000, target_bytes=None).endswith(
        "how long here is not known, because its size is not"
    )
    assert here(replace(one, seconds=0.001), clone_bytes=10**9, target_bytes=10**9).endswith(
        "here likely less than 0.1 s"
    )
    assert here(replace(one, seconds=0.08), clone_bytes=10**9, target_bytes=10**9).endswith("here likely up to 0.2 s")
    assert here(replace(one, seconds=120), clone_bytes=10**9, target_bytes=10**9).endswith("here likely 60 s to 4 min")


def test_a_proof_from_before_queries_were_planned_is_still_read():
    proof = Proof(Outcome.RESTORES, "0" * 64, datetime(2026, 11, 1, tzinfo=UTC), 180000, 1, 1.0)
    kept = proof.as_evidence()
    for name in ("masked", "queries", "plans", "unplanned", "measured"):
        del kept[name]

    assert Proof.of_evidence(kept) == proof
