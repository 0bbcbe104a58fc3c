"""Unfinished indexes of earlier attempts, partitioned tables that are rebuilt, and files that can stop halfway."""

from dataclasses import replace

import pytest

from checks.context import World
from checks.model import Name, Schema
from checks.report import Report, judge
from checks.risk import Risk
from tests.checks.rules.judging import codes, findings
from tests.checks.worlds import world

GIVEN = "CREATE TABLE users (id int, name text, state text); CREATE INDEX by_name ON users (name);"
BY_NAME = "CREATE INDEX CONCURRENTLY by_name ON users (name)"
USERS = Name("public", "users")
FIRST = "; Locktender drops the unfinished index of that name first"


def left_over(given: str = GIVEN) -> World:
    """Return a world in which the last index was not finished."""
    there = world(given, size=10**9, rows=10**7)
    table = there.schema.relations[USERS]
    index = replace(table.indexes["by_name"], is_valid=False)
    return replace(there, schema=there.schema.having(replace(table, indexes=table.indexes | {"by_name": index})))


def refused(report: Report) -> bool:
    return "statement-will-fail" in {one.code for one in report.findings}


def built(schema: Schema) -> bool:
    return schema.relations[USERS].indexes["by_name"].is_valid


@pytest.mark.parametrize("text", [BY_NAME, BY_NAME.replace("by_name", "IF NOT EXISTS by_name")])
def test_an_unfinished_index_does_not_count_as_there_and_its_end_is_told(text):
    report = judge(text, world=left_over())

    assert not refused(report)
    assert report.classified.reasons == (f"line 1: builds index by_name on users concurrently{FIRST}",)
    assert report.classified.risk is Risk.SAFE
    assert built(report.after)
    (lock,) = report.seen[0].effects.locks
    assert lock.work  # also IF NOT EXISTS: it is built


def test_of_a_unique_one_both_is_told():
    given = GIVEN.replace("CREATE INDEX", "CREATE UNIQUE INDEX")
    classified = judge(BY_NAME.replace("CREATE INDEX", "CREATE UNIQUE INDEX"), world=left_over(given)).classified

    assert classified.risk is Risk.CONTROLLED
    assert classified.reasons[0].endswith(f"equal rows make it fail and leave it invalid{FIRST}")


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX by_name ON users (name)",  # in a transaction nothing is dropped first
        "CREATE INDEX CONCURRENTLY by_name ON users (state)",
        "CREATE INDEX CONCURRENTLY by_name ON users (name, state)",
        "CREATE INDEX CONCURRENTLY by_name ON users (name) INCLUDE (state)",
        "CREATE INDEX CONCURRENTLY by_name ON users USING hash (name)",
        "CREATE UNIQUE INDEX CONCURRENTLY by_name ON users (name)",
    ],
)
def test_an_index_that_is_another_one_still_has_the_name(text):
    report = judge(text, world=left_over())

    assert refused(report)
    assert not built(report.after)
    assert not any(FIRST in one for one in report.classified.reasons)


def test_an_index_that_is_whole_still_has_its_name():
    assert refused(judge(BY_NAME, world=world(GIVEN)))


def test_what_is_built_in_place_of_it_is_there_for_the_next_statement():
    assert refused(judge(f"{BY_NAME}; {BY_NAME}", world=left_over()))
    assert not refused(judge(f"DROP INDEX CONCURRENTLY by_name; {BY_NAME}", world=left_over()))


PARTITIONED = (
    "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE INDEX i ON p (id);"
    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10); CREATE TABLE t (id int); CREATE INDEX j ON t (id);"
)


@pytest.mark.parametrize("sql", ["REINDEX TABLE p", "REINDEX INDEX i", "CLUSTER p USING i"])
def test_what_is_partitioned_is_not_rebuilt_in_a_transaction_and_both_ways_out_are_told(sql):
    (found,) = (one for one in findings(sql, PARTITIONED) if one.code == "statement-will-fail")

    assert "p is partitioned" in found.message
    assert "Write it for each partition, or declare" in found.message
    assert "statement-will-fail" not in codes(f"-- locktender: no-transaction: it is partitioned\n{sql}", PARTITIONED)


@pytest.mark.parametrize("sql", ["REINDEX TABLE t", "REINDEX INDEX j", "CLUSTER t USING j", "REINDEX TABLE p1"])
def test_what_is_not_partitioned_is(sql):
    assert "statement-will-fail" not in codes(sql, PARTITIONED)


def test_a_file_that_can_stop_halfway_is_never_safe_and_says_why():
    declared = "-- locktender: no-transaction: the index is for the table\n"
    mixed = judge(f"{declared}CREATE TABLE more (id int); CREATE TABLE again (id int)").classified

    assert mixed.risk is Risk.CONTROLLED
    assert mixed.reasons == ("the file is not one transaction: when it stops, what it has done until then stays",)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE more (id int); CREATE TABLE again (id int)",
        "-- locktender: no-transaction: alone\nCREATE TABLE more (id int)",
        "SET statement_timeout = '1h'; CREATE INDEX CONCURRENTLY i ON users (id)",
        "CREATE INDEX CONCURRENTLY i ON users (id); CREATE INDEX CONCURRENTLY j ON users (name)",
    ],
)
def test_a_file_of_one_piece_or_one_kind_is_not_raised_by_that(text):
    assert not any("not one transaction" in one for one in judge(text).classified.reasons)
