"""What a rehearsal is judged by: values in, sentences out."""

import pytest

from checks.rehearsal.declared import declared, irreversible
from checks.rehearsal.newcomers import Newcomer, Underivable, newcomers, wider
from checks.rehearsal.rows import Content, Position, Rows, unequal, unseen
from checks.rehearsal.sentences import told
from checks.rehearsal.structure import Column, Constraint, Table
from checks.schema import Snapshot, difference

KEY = ("public", "orders")


def column(kind: str, *, number: int = 1, name: str = "total", nullable: bool = True, labels=()) -> Column:
    return Column(number, name, kind, nullable, has_default=False, identity="", generated="", labels=tuple(labels))


def table(*columns: Column, constraints=(), unique=()) -> Table:
    return Table(1, KEY, columns, tuple(constraints), frozenset(unique))


@pytest.mark.parametrize(
    ("was", "now", "values"),
    [
        ("integer", "bigint", ["2147483648"]),
        ("smallint", "numeric", ["32768"]),
        ("bigint", "integer", []),
        ("character varying(5)", "text", ["'xxxxxx'"]),
        ("character varying(5)", "character varying(4)", []),
        ("character(3)", "character(4)", ["'xxxx'"]),
        ("numeric(6,2)", "numeric(8,2)", ["10000"]),
        ("numeric(6,2)", "numeric(8,4)", ["0.001"]),
        ("numeric(6,2)", "numeric", ["10000", "0.001"]),
        ("real", "double precision", ["'1e300'"]),
        ("uuid", "text", ["'?'"]),
        ("date", "timestamp without time zone", ["'2001-02-03 12:34:56'"]),
        ("boolean", "integer", ["2"]),
        ("text", "text", []),
        ("text", "jsonb", []),
    ],
)
def test_a_wider_type_gives_values_that_the_old_one_does_not_hold(was: str, now: str, values: list[str]):
    assert list(wider(column(was), column(now))) == values


def test_what_became_looser_gives_a_row_each_and_what_cannot_is_named():
    before = table(
        column("integer", nullable=False),
        column("mood", number=2, name="mood", labels=["good"]),
        constraints=[
            Constraint("few", "c", "CHECK ((total < 9))", ("total",)),
            Constraint("no", "x", "EXCLUDE", ("total",)),
        ],
        unique=[("mood",)],
    )
    after = table(column("integer", name="sum"), column("mood", number=2, name="mood", labels=["good", "bad"]))

    found = list(newcomers([before], [after]))

    assert [one.what if isinstance(one, Newcomer) else one.why for one in found] == [
        "a row written to orders in the meantime",
        "orders.sum is NULL",
        "orders.mood = 'bad'",
        "orders twice with the same mood",
        "orders against the dropped few",
        "orders against the dropped no",
    ]
    assert found[4].check == "CHECK ((sum < 9))"  # the column has another name now
    assert isinstance(found[5], Underivable)
    assert list(newcomers([after], [after])) == []


def test_a_declared_name_is_a_table_a_column_or_a_type_and_found_by_the_path():
    tables = {KEY: ("total",), ("shop", "orders"): ("total", "note")}

    found = declared(["orders", "shop.orders.note", "mood", "elsewhere"], tables, {("public", "mood")}, path=["public"])

    assert found.tables == {KEY}
    assert found.columns == {("shop", "orders"): {"note"}}
    assert found.types == {("public", "mood")}
    assert found.nothing == ["elsewhere"]
    assert irreversible("-- locktender: irreversible a.b: gone\nSELECT 1", "SELECT 2") == ("a.b",)


def test_rows_and_sequences_are_compared_and_a_sequence_may_go_on():
    before = Content({KEY: Rows(2, "7", ("id",))}, {("public", "ids"): Position(5)})

    def sentences(rows: Rows, value: int | None) -> list[str]:
        return [one.sentence for one in unequal(before, Content({KEY: rows}, {("public", "ids"): Position(value)}))]

    assert sentences(Rows(2, "7", ("id",)), 9) == []
    assert sentences(Rows(1, "7", ("id",)), 5) == ["orders has 1 rows instead of 2"]
    assert sentences(Rows(2, "8", ("id",)), 4) == [
        "the 2 rows of orders do not come back as they were",
        "sequence ids comes back at 4 instead of 5",
    ]
    assert sentences(Rows(why="no right"), None)[0] == "whether the rows of orders come back is not known: no right"
    assert list(unseen(before)) == []


def test_differences_of_the_schema_are_sentences():
    record = {"columns": {"total": {"type": "integer", "default": "0"}}, "indexes": {"by_total": {"definition": "x"}}}
    before = Snapshot({"table public.orders": record, "view public.open": {"view": "SELECT 1"}}, 180_000)
    other = {"columns": {"total": {"type": "integer"}}, "indexes": {}}
    after = Snapshot({"table public.orders": other, "type public.mood": {"labels": ["a"]}}, 180_000)

    assert list(told(difference(before, after))) == [
        "column total of orders comes back with default no value instead of 0",
        "index by_total does not come back",
        "type mood is left over",
        "view open does not come back",
    ]
