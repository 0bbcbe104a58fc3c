"""What of the data that scripts drop can be counted, and which rows of now an old schema would refuse."""

import pytest

from checks.comments.directives import Kind, directives
from checks.dropped import Drop, dropped
from checks.rehearsal.misfits import Misfit, misfits
from checks.rehearsal.newcomers import Underivable
from checks.statements import parse


def test_tables_and_columns_are_named_and_what_the_scripts_made_themselves_is_not():
    found = dropped(
        [
            ("2_b", "ALTER TABLE shop.orders DROP COLUMN total, DROP IF EXISTS note CASCADE; DROP TABLE a CASCADE"),
            ("1_a", "CREATE TABLE z (); DROP TABLE z; TRUNCATE q; DROP INDEX i; DROP VIEW v"),
        ]
    )

    assert found.drops == (Drop("shop.orders", "total"), Drop("shop.orders", "note"), Drop("a"), Drop("q"))
    assert found.untold == ()


def test_a_column_of_a_table_that_goes_as_a_whole_is_counted_once():
    found = dropped([("1_a", "ALTER TABLE a DROP COLUMN b; DROP TABLE a")])

    assert found.drops == (Drop("a"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DELETE FROM a WHERE b", "1_a, line 1: the rows that DELETE changes in a"),
        ("UPDATE a SET b = 1", "1_a, line 1: the rows that UPDATE changes in a"),
        ("ALTER TABLE a RENAME b TO c; ALTER TABLE a DROP c", "1_a, line 1: what column c of a was called before"),
        ("DO $$BEGIN END$$", "1_a, line 1: DO"),
        ("DROP SCHEMA shop CASCADE", "1_a, line 1: the tables of schema shop"),
    ],
)
def test_what_cannot_be_counted_is_told(text, told):
    found = dropped([("1_a", text)])

    assert found.drops == ()
    assert told in found.untold


def test_an_author_says_what_is_accepted_and_what_can_be_had_again():
    text = (
        "-- locktender: irreversible public.orders.note: nobody reads it\n"
        "-- locktender: derivable orders.total: (SELECT sum(price) FROM items WHERE items.of = orders.id)\n"
        "ALTER TABLE public.orders DROP COLUMN total, DROP COLUMN note;"
    )

    total, note = dropped([("1_a", text)]).drops

    assert total.derivable == "(SELECT sum(price) FROM items WHERE items.of = orders.id)"
    assert (total.is_declared, note.is_declared, note.derivable) == (False, True, "")


@pytest.mark.parametrize("said", ["total: 1", "orders.total", "orders.total: 1); DROP TABLE a; SELECT (1", "a.b: FOR"])
def test_what_an_author_says_is_one_expression_about_a_column_or_has_no_effect(said):
    (found,) = directives(parse(f"-- locktender: derivable {said}\nSELECT 1;"))

    assert found.kind is Kind.UNREADABLE
    assert "derivable TABLE.COLUMN: EXPRESSION" in found.problem


def tables(**columns: dict) -> dict:
    return {"table public.t": {"columns": {name: one for name, one in columns.items() if name != "parts"}}}


def conditions(before: dict, after: dict) -> list[str]:
    return [one.condition for one in misfits(before, after) if isinstance(one, Misfit)]


@pytest.mark.parametrize(
    ("was", "now", "condition"),
    [
        ("integer", "bigint", "a NOT BETWEEN -2147483648 AND 2147483647"),
        ("smallint", "numeric", "a NOT BETWEEN -32768 AND 32767 OR a <> trunc(a)"),
        ("numeric(5,2)", "numeric", "abs(a) >= 1e3::numeric OR scale(a) > 2"),
        ("character varying(10)", "text", "length(a) > 10"),
        ("character varying(10)", "character varying(20)", "length(a) > 10"),
        ("date", "timestamp with time zone", "a <> a::date"),
        ("integer", "text", "NOT pg_catalog.pg_input_is_valid(a::text, 'integer')"),
    ],
)
def test_a_wider_type_may_hold_what_the_old_one_does_not(was, now, condition):
    assert conditions(tables(a={"type": was}), tables(a={"type": now})) == [condition]


@pytest.mark.parametrize(
    ("was", "now"), [("bigint", "integer"), ("text", "integer"), ("character varying(20)", "character varying(10)")]
)
def test_a_narrower_type_holds_nothing_that_the_old_one_does_not(was, now):
    assert conditions(tables(a={"type": was}), tables(a={"type": now})) == []


OLD = tables(a={"type": "integer", "not null": True}, b={"type": "public.mood"})
OLD["table public.t"] |= {
    "constraints": {
        "positive": {"definition": "CHECK ((a > 0))"},
        "parent": {"definition": "FOREIGN KEY (a) REFERENCES public.p(id) ON DELETE CASCADE"},
        "apart": {"definition": "EXCLUDE USING gist (a WITH =)"},
        "once": {"definition": "UNIQUE (a, b)"},
    },
    "indexes": {
        "some": {"definition": "CREATE UNIQUE INDEX some ON public.t USING btree (a) WHERE (a > 5)"},
        "lowered": {"definition": "CREATE UNIQUE INDEX lowered ON public.t USING btree (lower(c))"},
        "plain": {"definition": "CREATE INDEX plain ON public.t USING btree (a)"},
    },
}
OLD["type public.mood"] = {"labels": ["sad", "it's"]}


def test_what_is_looser_now_is_asked_for_and_what_cannot_be_asked_is_told():
    new = tables(a={"type": "integer"}, b={"type": "public.mood"}) | {"type public.mood": {"labels": ["sad", "x"]}}

    found = list(misfits(OLD, new))

    assert conditions(OLD, new) == [
        "a IS NULL",
        "NOT ((a > 0))",
        (
            "a IS NOT NULL AND NOT EXISTS (SELECT FROM public.p locktender_other"
            " WHERE locktender_other.id = locktender_row.a)"
        ),
        "a IS NOT NULL AND b IS NOT NULL",
        "a IS NOT NULL AND ((a > 5))",
        "b::text NOT IN ('sad', 'it''s')",
    ]
    assert [one.double for one in found if isinstance(one, Misfit) and one.double] == [("a", "b"), ("a",)]
    assert [one.why for one in found if isinstance(one, Underivable)] == [
        "t against the old apart",
        "what the old unique index lowered of t kept apart",
    ]


def test_what_is_as_it_was_is_not_asked_about_and_another_name_is_the_same_rule():
    renamed = {name: dict(one) for name, one in OLD.items()}
    renamed["table public.t"]["constraints"] = {
        f"new_{name}": one for name, one in OLD["table public.t"]["constraints"].items()
    }

    assert list(misfits(OLD, OLD)) == []
    assert list(misfits(OLD, renamed)) == []
