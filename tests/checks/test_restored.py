"""Whether a schema is again what it was, from values alone."""

import json

from checks.integrity.restored import NAMED, Schema, judge_restored
from checks.schema import pieces

LEDGER = {
    "owner": "shop",
    "columns": [["id", "integer"], ["points", "integer"]],
    "constraints": [["ledger_pkey", "PRIMARY KEY (id)", True]],
    "indexes": [
        ["CREATE INDEX by_points ON public.ledger USING btree (points)", True],
        ['CREATE UNIQUE INDEX "by me" ON public.ledger USING btree (id)', True],
    ],
    "triggers": [["CREATE CONSTRAINT TRIGGER told AFTER INSERT ON public.ledger", "O"]],
    "rules": ["CREATE RULE kept AS ON DELETE TO public.ledger DO INSTEAD NOTHING"],
    "statistics": ["CREATE STATISTICS public.both ON id, points FROM public.ledger"],
    "policies": None,
    "comment": None,
}


def schema(record: dict | None = None, **others: str) -> Schema:
    text = json.dumps(LEDGER if record is None else record)
    objects = {"table public.ledger": text} | {f"table public.{name}": told for name, told in others.items()}
    return Schema(objects, {"table public.ledger": pieces(text)})


def test_what_an_object_consists_of_goes_by_its_name():
    assert set(pieces(json.dumps(LEDGER))) == {
        "owner", "column id", "column points", "constraint ledger_pkey", "index by_points", 'index "by me"',
        "trigger told", "rule kept", "statistics public.both",
    }  # fmt: skip
    assert pieces('"1.0"') == pieces('["shop", null]') == {}


def test_the_same_is_the_same():
    assert judge_restored("#4", schema(), schema()).sentence == "Schema equal to before run #4: yes."


def test_every_kind_of_difference_is_named():
    now = LEDGER | {"columns": [["id", "bigint"], ["points", "integer"], ["note", "text"]], "indexes": []}

    result = judge_restored("#4", schema(gone="a"), schema(now, new="a"))

    assert result.verdict == "failed"
    assert set(map(str, result.differences)) == {
        "table public.gone is missing",
        "table public.new is left over",
        "column id of table public.ledger differs",
        "column note of table public.ledger is left over",
        "index by_points of table public.ledger is missing",
        'index "by me" of table public.ledger is missing',
    }
    assert result.sentence.endswith("table public.new is left over.")


def test_where_the_pieces_are_not_known_the_object_is_named():
    result = judge_restored("#4", schema(other="a"), schema(other="b"))

    assert result.sentence == "Schema equal to before run #4: no. table public.other differs."


def test_what_others_changed_is_no_fault_of_the_way_back():
    both = schema(LEDGER | {"owner": "root"}, theirs="a")

    assert judge_restored("#4", schema(), both, by_others={"table public.theirs"}).verdict == "failed"
    assert judge_restored("#4", schema(), schema(theirs="a"), by_others={"table public.theirs"}).verdict == "noted"


def test_a_long_list_is_cut_and_says_so():
    result = judge_restored("#4", schema(), schema(**{f"t{place}": "a" for place in range(NAMED + 2)}))

    assert result.sentence.endswith("; and 2 more.")
    assert len(result.differences) == NAMED + 2
