"""A schema as a value: hashes, what differs, what is left out, and that the comparison objects to what is not equal."""

from typing import Any

import pytest

from checks.schema import IgnoreRules, Snapshot, difference, fingerprint, mutated, touched, unseen
from checks.schema.grants import normalised
from checks.schema.hashes import hard, named_pieces

HASHES = {"table public.ledger": "a", "table audit.ledger": "b", "function public.points(integer)": "c"}
LEDGER: dict[str, Any] = {
    "owner": "shop",
    "columns": {"id": {"type": "integer", "not null": True}, "points": {"type": "integer", "default": "0"}},
    "column order": ["id", "points"],
    "indexes": {"by_points": {"definition": "CREATE INDEX by_points ON public.ledger USING btree (points)"}},
    "grants": {"app": "SELECT"},
}
VIEW = {"owner": "shop", "view": " SELECT id\n   FROM ledger\n  WHERE true;", "columns": {"id": {"type": "integer"}}}
SCHEMA = Snapshot({"table public.ledger": LEDGER, "view public.seen": VIEW}, 180006)


def changed(**parts: Any) -> Snapshot:
    return SCHEMA.with_record("table public.ledger", LEDGER | parts)


def test_a_fingerprint_does_not_depend_on_the_order_of_reading():
    assert fingerprint(HASHES) == fingerprint(dict(reversed(HASHES.items())))
    turned = Snapshot({name: dict(reversed(one.items())) for name, one in SCHEMA.records.items()}, 180006)
    assert turned.exact_fingerprint == SCHEMA.exact_fingerprint


def test_every_object_counts():
    for name in HASHES:
        assert fingerprint(HASHES | {name: "other"}) != fingerprint(HASHES)
        assert fingerprint({key: HASHES[key] for key in HASHES if key != name}) != fingerprint(HASHES)


def test_a_name_without_a_schema_means_every_schema():
    assert set(touched(HASHES, ["ledger"])) == {"table public.ledger", "table audit.ledger"}
    assert set(touched(HASHES, ["audit.ledger"])) == {"table audit.ledger"}
    assert set(touched(HASHES, ["points"])) == {"function public.points(integer)"}
    assert touched(HASHES, ["led"]) == {}


def test_a_quoted_name_means_the_object_of_that_name():
    schema = {"table public.RefreshToken": "a", "table public.refreshtoken": "b", 'table public.say "hi"': "c"}

    assert set(touched(schema, ['"RefreshToken"'])) == {"table public.RefreshToken"}
    both = touched(schema, ['public."RefreshToken"', '"say ""hi"""'])
    assert set(both) == {"table public.RefreshToken", 'table public.say "hi"'}


def test_a_kind_of_two_words_and_a_dot_in_a_name_hide_nothing():
    schema = {"materialized view public.frozen": "a", 'table public."odd.name"': "b", "table odd.name": "c"}

    assert set(touched(schema, ["public.frozen"])) == {"materialized view public.frozen"}
    assert set(touched(schema, ['"odd.name"'])) == {'table public."odd.name"'}
    assert set(touched(schema, ["odd.name"])) == {"table odd.name"}


def test_what_an_object_consists_of_goes_by_its_name():
    assert set(named_pieces(hard(LEDGER))) == {"owner", "column id", "column points", "index by_points", "grant to app"}


def test_a_difference_tells_the_piece_and_both_values():
    columns = {"id": {"type": "bigint", "not null": True}, "note": {"type": "text"}}

    found = difference(SCHEMA, changed(columns=columns, grants={"app": "INSERT, SELECT"}))

    assert found.lines() == [
        "table public.ledger: column id, type: integer -> bigint",
        "table public.ledger: column note added: type: text",
        "table public.ledger: column points removed: default: 0; type: integer",
        "table public.ledger: grant to app: SELECT -> INSERT, SELECT",
    ]
    assert not found.is_equal


def test_what_is_long_is_told_line_by_line():
    after = SCHEMA.with_record("view public.seen", VIEW | {"view": VIEW["view"].replace("true", "id > 1")})

    (change,) = difference(SCHEMA, after).changes

    assert change.lines == ["view public.seen: view changed"]
    assert change.pieces[0].lines == [
        (" ", " SELECT id"), (" ", "   FROM ledger"), ("-", "  WHERE true;"), ("+", "  WHERE id > 1;"),
    ]  # fmt: skip


def test_what_came_or_went_shows_what_it_consists_of():
    (change,) = difference(SCHEMA, SCHEMA.without("view public.seen")).changes

    assert (change.lines, change.pieces) == (["view public.seen removed"], ())
    assert [one.piece for one in change.content] == ["column id", "owner", "view"]


def test_the_order_of_columns_is_soft_unless_it_is_asked_for():
    found = difference(SCHEMA, changed(**{"column order": ["points", "id"]}))

    assert (found.is_equal, found.is_identical, found.changes) == (True, False, ())


def test_a_column_that_is_added_or_gone_is_no_other_order():
    after = changed(**{"column order": ["id", "new", "points"]}, columns=LEDGER["columns"] | {"new": {"type": "text"}})

    assert not difference(SCHEMA, after).soft


def test_schemas_of_two_majors_or_read_under_other_rules_are_never_equal():
    other = Snapshot(SCHEMA.records, 170004)

    assert not difference(SCHEMA, other).is_equal
    assert difference(SCHEMA, Snapshot(SCHEMA.records, 180001)).is_equal
    assert not difference(SCHEMA, IgnoreRules(partitions=True).filtered(SCHEMA)).is_equal


@pytest.mark.parametrize("number", range(12))
def test_the_comparison_objects_to_every_mutation(number):
    what, other = mutated(SCHEMA, number)

    assert not difference(SCHEMA, other).is_equal, what
    assert other.fingerprint != SCHEMA.fingerprint, what


def test_the_negative_control_finds_a_comparator_that_is_blind():
    assert unseen(SCHEMA) == ()
    assert unseen(Snapshot({}, 180006)) == ()
    assert len(unseen(SCHEMA, lambda *_: True)) > 10
    assert unseen(SCHEMA, lambda *_: False) == ("the schema is equal to itself",)
    by_name = unseen(SCHEMA, lambda one, other: one.records.keys() == other.records.keys())
    assert "indexes of table public.ledger: by_points removed" in by_name


def test_rules_leave_out_partitions_roles_of_a_provider_and_named_objects_and_tell_how_much():
    full = Snapshot(
        {
            "table public.parts": {"partition key": "RANGE (id)"},
            "table public.parts_1": {"bound": "FOR VALUES FROM (1) TO (2)"},
            "table public.tmp_3": {"owner": "shop"},
            "event trigger theirs": {"owner": "rdsadmin"},
            "schema public": {
                "owner": "rdsadmin",
                "grants": {"app": "USAGE", "rds_ro": "USAGE", "x, from rdsadmin": "USAGE"},
            },
        },
        180006,
    )

    left = IgnoreRules(partitions=True, roles=("rds*",), objects=("table public.tmp_*",)).filtered(full)

    assert left.records == {
        "table public.parts": {"partition key": "RANGE (id)"},
        "schema public": {"owner": "a managed role", "grants": {"app": "USAGE"}},
    }
    assert left.ignored == {"partitions": 1, "role rds*": 4, "object table public.tmp_*": 1}


DEFAULTS = ("root=arw/root",)


def test_rights_that_are_the_same_are_the_same_text():
    def told(*acl: str, owner: str = "shop", defaults: tuple[str, ...] = DEFAULTS) -> dict[str, str]:
        return dict(normalised(acl, owner=owner, defaults=defaults, relative=True))

    assert normalised(None, owner="shop", defaults=DEFAULTS, relative=True) == told("shop=raw/shop") == {}
    assert told("shop=arw/shop", "app=wr/shop", "=r/shop") == {"app": "SELECT, UPDATE", "PUBLIC": "SELECT"}
    assert told("shop=arw/shop", "app=r*/shop") == {"app": "SELECT (may grant it)"}
    assert told("shop=ar/shop") == {"the owner": "INSERT, SELECT"}
    assert told("app=r/shop") == {"app": "SELECT", "the owner": "nothing"}
    assert told("shop=arw/shop", "app=r/other") == {"app, from other": "SELECT"}
    assert told('"my ""own"""=arw/"my ""own"""', '"a b"=r/"my ""own"""', owner='my "own"') == {"a b": "SELECT"}


def test_rights_that_the_server_gives_to_everybody_are_told_until_they_are_taken():
    defaults = ("=X/root", "root=X/root")

    assert normalised(None, owner="shop", defaults=defaults, relative=True) == {"PUBLIC": "EXECUTE"}
    assert normalised(["shop=X/shop"], owner="shop", defaults=defaults, relative=True) == {}
