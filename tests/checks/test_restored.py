"""Whether a schema is again what it was, from values alone."""

from typing import Any

from checks.integrity.restored import NAMED, Restored, judge_restored
from checks.schema import Snapshot, difference

LEDGER = {
    "owner": "shop",
    "columns": {"id": {"type": "integer"}, "points": {"type": "integer"}},
    "column order": ["id", "points"],
    "indexes": {
        "by_points": {"definition": "CREATE INDEX by_points ON public.ledger USING btree (points)"},
        "by me": {"definition": 'CREATE UNIQUE INDEX "by me" ON public.ledger USING btree (id)'},
    },
}


def schema(record: dict[str, Any] | None = None, **others: str) -> Snapshot:
    records = {f"table public.{name}": {"owner": told} for name, told in others.items()}
    return Snapshot({"table public.ledger": LEDGER if record is None else record, **records}, 180006)


def judged(before: Snapshot, after: Snapshot, **options: Any) -> Restored:
    return judge_restored("#4", difference(before, after), **options)


def test_the_same_is_the_same():
    assert judged(schema(), schema()).sentence == "Schema equal to before run #4: yes."


def test_every_kind_of_difference_is_named():
    columns = {"id": {"type": "bigint"}, "points": {"type": "integer"}, "note": {"type": "text"}}
    now = LEDGER | {"columns": columns, "indexes": {}}

    result = judged(schema(gone="a", given="a"), schema(now, new="a", given="b"))

    assert result.verdict == "failed"
    assert list(map(str, result.differences)) == [
        "owner of table public.given differs (a -> b)",
        "table public.gone is missing",
        "column id of table public.ledger differs (type: integer -> bigint)",
        "column note of table public.ledger is left over",
        "index by me of table public.ledger is missing",
        "index by_points of table public.ledger is missing",
        "table public.new is left over",
    ]
    assert result.sentence.endswith("table public.new is left over.")


def test_another_order_of_columns_is_equal_and_is_named():
    result = judged(schema(), schema(LEDGER | {"column order": ["points", "id"]}))

    assert result.verdict == "passed"
    assert result.sentence == (
        "Schema equal to before run #4: yes. But columns stand in another order: table public.ledger."
    )


def test_what_cannot_be_compared_is_not_measured():
    other = Snapshot(schema().records, 170002)

    assert judged(schema(), other).sentence == (
        "Schema equal to before run #4: not measured. PostgreSQL 18 and 17 write the same schema differently."
    )


def test_what_others_changed_is_no_fault_of_the_way_back():
    both = schema(LEDGER | {"owner": "root"}, theirs="a")

    assert judged(schema(), both, by_others={"table public.theirs"}).verdict == "failed"
    assert judged(schema(), schema(theirs="a"), by_others={"table public.theirs"}).verdict == "noted"


def test_a_long_list_is_cut_and_says_so():
    result = judged(schema(), schema(**{f"t{place}": "a" for place in range(NAMED + 2)}))

    assert result.sentence.endswith("; and 2 more.")
    assert len(result.differences) == NAMED + 2
