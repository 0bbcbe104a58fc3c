"""A schema as a file: the same after reading it back, and refused when it is anything else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.model import EMPTY, Name, Schema, Size, Traffic
from checks.model.replay import replay_script
from checks.model.saved import Saved, SnapshotUnreadable, from_data, from_json, to_data, to_json, without_values
from checks.statements import parse

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.sql"))


def schema_of(text: str) -> Schema:
    return replay_script(EMPTY, parse(text))


def saved(schema: Schema) -> Saved:
    return Saved(schema, 160004, "2026-05-01T12:00:00Z")


def altered(change: Any) -> str:
    """A good file, with its JSON changed."""
    data = json.loads(to_json(saved(schema_of("CREATE TABLE t (id int PRIMARY KEY, a text)"))))
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_is_read_back_is_what_was_written(path: Path):
    schema = schema_of(path.read_text())
    first = next(iter(schema.relations))
    sized = replace(schema.relations[first], size=Size(2**40, 2**33, None), traffic=Traffic(0.25, 1e-9))
    schema = schema.having(sized)
    unmade = {name: replace(one, made_in=0, has_rows=False) for name, one in schema.relations.items()}

    read = from_json(to_json(saved(schema)))

    assert read.schema == replace(schema, relations=unmade, script=0)
    assert [*read.schema.relations] == [*schema.relations]
    assert [[*one.columns] for one in read.schema.relations.values()] == [[*one.columns] for one in unmade.values()]
    assert (read.server_version, read.major, read.read_at) == (160004, 16, "2026-05-01T12:00:00Z")
    # A JSON column of a database keeps no order of keys.
    assert from_data(json.loads(json.dumps(to_data(schema), sort_keys=True))) == read.schema


def test_a_trigger_that_is_called_like_its_function_is_kept():
    schema = schema_of(
        "CREATE TABLE t (id int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS '';"
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"
    )

    read = from_json(to_json(saved(schema))).schema

    assert read.relations[Name("public", "t")].triggers == {"f": Name("public", "f")}


def relation(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["schema"]["relations"][0]
    return found


WRONG = {
    "nothing": lambda data: data.clear(),
    "another kind": lambda data: data.update(what="something else"),
    "a later format": lambda data: data.update(format=2),
    "a format that is only equal": lambda data: data.update(format=True),
    "more than there is": lambda data: data.update(password="x"),
    "no version": lambda data: data.update(server_version="16"),
    "a version that is none": lambda data: data.update(server_version=16),
    "no moment": lambda data: data.update(read_at="yesterday"),
    "no schema": lambda data: data.update(schema=[]),
    "an unknown field": lambda data: relation(data).update(colour="red"),
    "no name": lambda data: relation(data).pop("name"),
    "a name of three parts": lambda data: relation(data).update(name=["a", "b", "c"]),
    "a kind that is none": lambda data: relation(data).update(kind="heap"),
    "a number for a text": lambda data: relation(data).update(access_method=3),
    "a text for a truth": lambda data: relation(data).update(is_logged="no"),
    "a truth for a number": lambda data: relation(data).update(size={"bytes": True}),
    "a size below nothing": lambda data: relation(data).update(size={"bytes": -1}),
    "a rate without end": lambda data: relation(data).update(traffic={"reads": float("inf"), "writes": 0.0}),
    "the same table twice": lambda data: data["schema"]["relations"].append(relation(data)),
    "a column twice": lambda data: relation(data)["columns"].append(relation(data)["columns"][0]),
    "an index that is not there": lambda data: relation(data).update(indexes=[]),
    "a column that is not there": lambda data: relation(data)["indexes"][0].update(columns=["gone"]),
    "a parent that is not there": lambda data: relation(data).update(partition_of=["public", "gone"]),
    "a table above itself": lambda data: relation(data).update(inherits=[["public", "t"]]),
    "half a character": lambda data: relation(data).update(access_method="\ud800"),
    "a character that ends texts": lambda data: relation(data).update(access_method="a\0"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_anything_else_is_refused_in_its_own_words(change: Any):
    with pytest.raises(SnapshotUnreadable, match="Write it anew") as refused:
        from_json(altered(change))

    assert refused.value.code == "snapshot-unreadable"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"what": 1, "what": 1}', "null", "9" * 5_000])
def test_text_that_is_no_file_of_this_kind_is_refused(text: str):
    with pytest.raises(SnapshotUnreadable):
        from_json(text)


def test_what_leaves_the_house_has_no_texts_and_no_numbers_of_the_database():
    schema = schema_of(
        "CREATE TABLE t (id serial PRIMARY KEY, key text DEFAULT 'sk_live_1', state text CHECK (state IN ('secret_2'))"
        ", customer text) PARTITION BY LIST (id); CREATE TABLE p PARTITION OF t FOR VALUES IN (4711);"
        "CREATE INDEX i ON t (customer) WHERE customer <> 'secret_3'; CREATE VIEW v AS SELECT 'secret_4' AS x FROM t;"
        "CREATE POLICY own ON t USING (customer = 'secret_5' OR id = 4712) WITH CHECK (id < 47.13);"
        "CREATE TABLE u (a int DEFAULT 4714, b float DEFAULT 4.715e10, c int CHECK (c <> 4716), d numeric(10, 2)"
        ", e int GENERATED ALWAYS AS (a * 4717) STORED, f text DEFAULT E'secret_\\\\6', a4718 int, \"4 719\" int"
        ", g timestamptz DEFAULT now() + '4720 days'::interval);"
        "CREATE INDEX j ON u ((a % 4721)) WHERE a > 4722 AND c IS NOT NULL;"
        "CREATE FUNCTION k() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'secret_7'$$"
    )

    text = to_json(saved(without_values(schema)))

    hidden = [
        "sk_live",
        "secret",
        "4711",
        "4712",
        "47.13",
        "4714",
        "4.715",
        "e10",
        "4716",
        "4717",
        "4720",
        "4721",
        "4722",
    ]
    assert not [one for one in hidden if one in text]
    read = from_json(text).schema.relations
    kept, more = read[Name("public", "t")], read[Name("public", "u")]
    assert kept.columns["id"].default == "nextval('public.t_id_seq'::regclass)"
    assert kept.columns["key"].default == "$1"
    assert kept.constraints["t_state_check"].columns == ("state",)
    assert {"a4718", "4 719"} <= more.columns.keys()
    assert more.columns["d"].type.modifiers == (10, 2)
    assert "now()" in (more.columns["g"].default or "")
    assert more.columns["e"].default
    assert more.indexes["j"].uses == {"a", "c"}


@pytest.mark.parametrize(
    ("default", "masked"),
    [
        ("nextval('s'::regclass)", "nextval('s'::regclass)"),
        ("'A4'::text || nextval('s'::regclass)", "$1::text || nextval('s'::regclass)"),
        ("(nextval('s'::regclass) + 4711)", "(nextval('s'::regclass) + $1)"),
        ("'it''s'::character varying(20)", "$1::character varying(20)"),
        ("E'a\\\\b'::text", "$1::text"),
        ("'nextval(''s''::regclass)'::text", "$1::text"),
        ("(1e-10 + .5) + 1e-10", "($1 + $2) + $1"),
        ('"col 1" + f1(x_2)', '"col 1" + f1(x_2)'),
        ("CURRENT_TIMESTAMP(3)", "CURRENT_TIMESTAMP(3)"),
    ],
)
def test_a_masked_default_keeps_what_it_calls_and_can_be_parsed(default: str, masked: str):
    schema = schema_of("CREATE TABLE t (a text DEFAULT 1)")
    table = schema.relations[Name("public", "t")]
    column = replace(table.columns["a"], default=default)

    left = without_values(schema.having(replace(table, columns={"a": column})))

    assert left.relations[table.name].columns["a"].default == masked
    parse(f"SELECT {masked}")


def test_different_values_stay_different_so_that_two_indexes_are_not_called_the_same():
    schema = schema_of(
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a) WHERE a > 1; CREATE INDEX j ON t (a) WHERE a > 2;"
        "CREATE INDEX k ON t (a) WHERE a > 1"
    )

    indexes = without_values(schema).relations[Name("public", "t")].indexes

    assert indexes["i"].predicate == indexes["k"].predicate != indexes["j"].predicate
