"""How long, for whom, and how it is said: computed from sizes, never from a clock."""

from pathlib import Path

import pytest

from checks.durations import RATES, Rates, bytes_of
from checks.estimate import estimates
from checks.locks import Mode, Work
from checks.model import Name, Traffic
from checks.words import amount, listed, span_words
from tests.checks.worlds import GB, MB, seen_in, world

TABLES = """
CREATE TABLE ledger (id int PRIMARY KEY, note text, owner int);
CREATE TABLE users (id int PRIMARY KEY, name text);
"""
BUSY = Traffic(reads=40, writes=10)


def estimate_of(sql: str, *, table: str = "ledger", size: int | None = 1_900 * MB, rates: Rates = RATES, **known):
    context = seen_in(sql, world(TABLES, size=size, **known))
    found = [one for about in estimates(context) for one in about if one.relation == Name("public", table)]
    return found[0]


def test_a_rewrite_says_how_much_how_long_and_who_waits():
    one = estimate_of("ALTER TABLE ledger ALTER id TYPE bigint", traffic=BUSY)

    assert one.words == (
        "rewrites 1.9 GB of ledger: nobody reads or writes it for 20 s to 2 min "
        "(up to 50 transactions per second would wait)"
    )
    assert one.seconds == pytest.approx(1900 / 90)
    assert one.slow_seconds == pytest.approx(1900 / 90 * 5)
    assert one.per_second == 50
    assert one.waiting == pytest.approx(50 * 1900 / 90 * 5, abs=1)
    assert one.mode is Mode.ACCESS_EXCLUSIVE
    assert one.works
    assert not one.is_maybe


def test_a_size_that_is_not_known_is_long_and_says_so():
    one = estimate_of("ALTER TABLE ledger ALTER id TYPE bigint", size=None, traffic=BUSY)

    assert (one.seconds, one.slow_seconds, one.bytes, one.waiting) == (None, None, None, None)
    assert "size unknown, treated as large" in one.words
    assert "for a time that nobody can say" in one.words
    assert one.per_second == 50


def test_what_is_done_in_a_moment_needs_no_size():
    one = estimate_of("ALTER TABLE ledger ADD COLUMN extra text", size=None)

    assert (one.seconds, one.slow_seconds) == (0, 0)
    assert one.words == "nobody reads or writes ledger for a moment"


def test_who_only_reads_does_not_wait_for_an_index():
    one = estimate_of("CREATE INDEX i ON ledger (note)", size=430 * MB, traffic=BUSY)

    assert one.words.startswith("builds an index from 430 MB of ledger: nobody writes it for 1 s to 5 s (up to 10 ")
    assert one.per_second == 10
    assert one.waiting == 50


def test_nobody_waits_for_an_index_that_is_built_concurrently():
    one = estimate_of("CREATE INDEX CONCURRENTLY i ON ledger (note)", traffic=BUSY)

    assert one.per_second is None
    assert one.waiting is None
    assert one.words == (
        "builds an index from 1.9 GB of ledger for 4 s to 20 s, and waits for every older transaction; "
        "reads and writes go on"
    )


def test_a_lock_is_kept_to_the_end_of_its_transaction():
    sql = "ALTER TABLE users ADD COLUMN a int;\nALTER TABLE ledger ALTER id TYPE bigint"
    users = estimate_of(sql, table="users")

    assert users.seconds == pytest.approx(1900 / 90)
    assert users.words == (
        "nobody reads or writes users for 20 s to 2 min: the lock stays while line 2, ALTER TABLE, works"
    )
    assert not users.works


def test_a_lock_ends_with_its_statement_when_that_is_no_part_of_a_transaction():
    users = estimate_of(
        "ALTER TABLE users ADD COLUMN a int;\nCREATE INDEX CONCURRENTLY i ON ledger (note)", table="users"
    )

    assert users.slow_seconds == 0


def test_rows_that_are_changed_take_time_too():
    sql = "ALTER TABLE ledger ADD COLUMN a int;\nUPDATE ledger SET a = 1 WHERE owner = 7"

    kept = estimate_of(sql, rows=770_000)
    unknown = estimate_of(sql)

    assert (kept.seconds, kept.slow_seconds) == (0, pytest.approx(50))
    assert "up to 50 s: the lock stays while line 2, UPDATE, works" in kept.words
    assert unknown.slow_seconds is None


def test_what_the_script_has_made_itself_keeps_nobody_waiting():
    context = seen_in("CREATE TABLE n (id int); CREATE INDEX i ON n (id)", world(TABLES))

    about = [one for part in estimates(context) for one in part]

    assert {one.words for one in about} <= {"n is new: nobody waits for it"}
    assert all(one.slow_seconds == 0 for one in about)


def test_a_partitioned_table_is_as_big_as_its_partitions():
    given = world(
        "CREATE TABLE p (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (2) TO (3);",
        size=GB,
    )

    (about,) = estimates(seen_in("CREATE INDEX i ON p (id)", given))

    assert bytes_of(Name("public", "p"), given.schema) == 2 * GB
    assert {str(one.relation) for one in about} == {"p", "p1", "p2"}
    assert [one.seconds for one in about] == [pytest.approx(2 * GB / RATES.build)] * 3


def test_more_indexes_than_were_measured_make_a_rewrite_slower():
    many = TABLES + "".join(f"CREATE INDEX i{n} ON ledger (note);" for n in range(5))

    (few,) = estimates(seen_in("ALTER TABLE ledger ALTER id TYPE bigint", world(TABLES, size=GB)))
    (more,) = estimates(seen_in("ALTER TABLE ledger ALTER id TYPE bigint", world(many, size=GB)))

    assert more[0].seconds == pytest.approx(few[0].seconds + 4 * GB / RATES.build)


def test_every_kind_of_work_has_a_rate():
    assert all(RATES.of(one) > 0 for one in Work)
    assert Rates(scan=7).of(Work.SCAN) == 7


def test_times_are_as_exact_as_they_are_known():
    said = {
        (0, 0.2): "less than 1 s", (0.4, 3): "up to 3 s", (2, 2.2): "about 2 s", (21, 105): "20 s to 2 min",
        (38 * 60, 3 * 3600): "40 min to 3 h", (8, 40): "8 s to 40 s", (200_000, 900_000): "2 days to 10 days",
    }  # fmt: skip

    assert {span: span_words(*span) for span in said} == said


def test_sizes_and_lists_are_said_briefly():
    assert [amount(size) for size in (0, 999, 999_999, 1_900 * MB, 64 * MB, 8 * 10**17)] == [
        "0 bytes", "999 bytes", "1.0 MB", "1.9 GB", "64 MB", "800 PB",
    ]  # fmt: skip
    assert [listed(list(names)) for names in ("", "a", "ab", "abc", "abcdefgh")] == [
        "", "a", "a and b", "a, b and c", "a, b, c, d, e, f and 2 more",
    ]  # fmt: skip


def test_the_document_has_the_rates_and_times_of_the_code():
    written = (Path(__file__).parents[2] / "docs/risk.md").read_text()

    for work in Work:
        rate = RATES.of(work)
        times = span_words(GB / rate, GB / rate * RATES.slowdown)
        assert f"| {amount(int(rate)).replace('.0 ', ' ')}/s | {times} |" in written, work
    assert f"{RATES.rows:,} rows/s" in written


def test_the_words_name_the_relation_and_the_work_also_when_it_is_tiny():
    one = estimate_of("ALTER TABLE ledger ALTER id TYPE bigint", size=0)

    assert one.words == "rewrites 0 bytes of ledger: nobody reads or writes it for a moment"


def test_what_the_script_filled_holds_the_locks_on_others_for_a_time_nobody_can_say():
    fill = "CREATE TABLE archive AS SELECT * FROM ledger;\n"
    key = "ALTER TABLE archive ADD FOREIGN KEY (owner) REFERENCES users (id)"

    assert estimate_of(fill + key, table="users").seconds is None
    assert estimate_of(fill.replace(";", " WITH NO DATA;") + key, table="users").seconds == 0
