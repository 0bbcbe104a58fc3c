"""What the model says where no server is asked: what cannot be followed, what is unknown, what ends with a session."""

from dataclasses import replace

import pytest

from checks.errors import Unparsable
from checks.model import EMPTY, UNKNOWN, DataType, Kind, Name, Schema
from checks.model.replay import begin, replay, replay_script
from checks.statements import parse


def after(*scripts: str, start: Schema = EMPTY) -> Schema:
    schema = start
    for text in scripts:
        schema = replay_script(schema, parse(text))
    return schema


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("DO $$ BEGIN CREATE TABLE hidden (id int); END $$", "DO was not followed (line 1)"),
        ("\n\nCALL rebuild()", "CALL was not followed (line 3)"),
        ("EXECUTE prepared", "EXECUTE was not followed (line 1)"),
        ("CREATE EXTENSION timescaledb", "extension timescaledb brings what is not known (line 1)"),
        ("IMPORT FOREIGN SCHEMA far FROM SERVER there INTO public", "IMPORT FOREIGN SCHEMA was not followed (line 1)"),
        ("DROP OWNED BY nobody", "DROP OWNED was not followed (line 1)"),
        ("SELECT set_config('search_path', current_user, false)", "a computed search path (line 1)"),
        ("CREATE TABLE made AS EXECUTE prepared", "EXECUTE of a prepared statement (line 1)"),
        ("SELECT query_to_xml('DROP TABLE t', true, true, '')", "a call of query_to_xml() (line 1)"),
    ],
)
def test_what_cannot_be_followed_is_a_doubt_with_its_line(text: str, doubt: str):
    schema = after("CREATE TABLE t (id int)")

    found = after(text, start=schema)

    assert found.doubts == (doubt,)
    assert found.find("t") is not None
    assert found.is_complete
    assert not found.is_certain


def test_a_call_of_an_own_volatile_function_is_a_doubt_and_of_others_is_none():
    schema = after(
        "CREATE FUNCTION acts() RETURNS int LANGUAGE plpgsql AS 'begin return 1; end'; "
        "CREATE FUNCTION reads() RETURNS int STABLE LANGUAGE plpgsql AS 'begin return 1; end'"
    )

    assert after("SELECT acts()", start=schema).doubts == ("a call of acts() (line 1)",)
    assert after("SELECT reads(), pg_notify('a', 'b'), now()", start=schema).doubts == ()
    # Where not everything is known, a function that is not listed may be anybody's.
    assert after("SELECT somebodys()", start=UNKNOWN).doubts == ("a call of somebodys() (line 1)",)


def test_a_kind_of_statement_nobody_thought_of_is_a_doubt():
    schema = after("CREATE TABLE t (id int)")
    statement = parse("COMMENT ON TABLE t IS 'x'").statements[0]
    strange = type("BrandNewStmt", (), {"__slots__": ()})()

    found = replay(schema, replace(statement, tree=replace(statement.tree, node=strange), kind="BRAND NEW"))

    assert found.doubts == ("BRAND NEW was not followed (line 1)",)


def test_a_table_is_new_only_for_the_script_that_makes_it():
    made = after("CREATE TABLE t (id int)")

    assert made.is_new(Name("public", "t"))
    assert not begin(made).is_new(Name("public", "t"))


def test_temporary_tables_paths_and_time_zones_end_with_the_script():
    made = after(
        "CREATE SCHEMA app; SET search_path = app; SET TIME ZONE 'UTC'; "
        "CREATE TEMP TABLE t (a int); CREATE TABLE t (b int)"
    )

    assert made.find("t").columns.keys() == {"a"}  # type: ignore[union-attr]
    assert made.time_zone == "UTC"
    later = begin(made)
    assert later.find("t") is None
    assert later.find("app.t").columns.keys() == {"b"}  # type: ignore[union-attr]
    assert (later.path, later.time_zone) == (("public",), "")


def test_a_dump_with_an_empty_path_and_full_names_is_followed():
    schema = after(
        "SELECT pg_catalog.set_config('search_path', '', false); "
        "CREATE TABLE public.a (id integer NOT NULL); "
        "CREATE SEQUENCE public.a_id_seq AS integer; "
        "ALTER SEQUENCE public.a_id_seq OWNED BY public.a.id; "
        "ALTER TABLE ONLY public.a ALTER COLUMN id SET DEFAULT nextval('public.a_id_seq'::regclass); "
        "ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id); "
        "CREATE TABLE nowhere (id int)"
    )

    table = begin(schema).find("a")

    assert table is not None
    assert table.indexes.keys() == {"a_pkey"}
    assert schema.relations[Name("public", "a_id_seq")].owner == (Name("public", "a"), "id")
    assert schema.find("nowhere") is None  # there is no schema to create it in
    assert schema.doubts == ()


def test_what_is_not_known_stays_not_known():
    schema = after("ALTER TABLE t ADD COLUMN a int; DROP TABLE u; CREATE TABLE v (id int REFERENCES w)", start=UNKNOWN)

    assert schema.find("t") is None
    assert schema.find("v").constraints["v_id_fkey"].references == Name("public", "w")  # type: ignore[union-attr]
    assert not schema.is_complete


def test_where_the_model_may_be_wrong_the_commands_that_can_be_followed_are():
    hidden = "DO $$ BEGIN ALTER TABLE t ADD COLUMN hidden int; END $$;"
    commands = "ALTER TABLE t ALTER COLUMN hidden SET NOT NULL, ADD COLUMN told int"

    certain = after("CREATE TABLE t (id int)", commands)
    doubtful = after("CREATE TABLE t (id int)", hidden + commands)

    assert certain.find("t").columns.keys() == {"id"}  # type: ignore[union-attr]
    assert doubtful.find("t").columns.keys() == {"id", "told"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT id, total * 2 FROM t", {"id": "int4", "?column?": ""}),
        ("SELECT * FROM t JOIN u USING (id)", {}),
        ("SELECT x.* FROM (SELECT id AS a FROM t) x", {"a": "int4"}),
        ("SELECT * FROM somewhere()", {}),
    ],
)
def test_columns_of_a_view_are_told_where_they_can_be_told(query: str, columns: dict[str, str]):
    schema = after("CREATE TABLE t (id int, total numeric); CREATE TABLE u (id int)", f"CREATE VIEW v AS {query}")

    found = schema.relations[Name("public", "v")]

    assert found.kind is Kind.VIEW
    assert {name: one.type.name for name, one in found.columns.items()} == columns


def test_words_in_the_brackets_of_a_type_make_another_type():
    schema = after("CREATE EXTENSION postgis; CREATE TABLE t (a geometry(Point, 4326), b geometry(Polygon, 4326))")

    a, b = schema.find("t").columns.values()  # type: ignore[union-attr]

    assert a.type == DataType("geometry", schema="public", fields="point,4326")
    assert a.type != b.type


def test_hostile_text_ends_in_a_refusal_of_the_parser_or_a_schema():
    deep = "CREATE VIEW v AS SELECT " + "(" * 2_000 + "1" + ")" * 2_000
    joins = "CREATE VIEW v AS SELECT * FROM t a0" + "".join(f" JOIN t a{n} ON true" for n in range(1, 300))
    union = "CREATE VIEW v AS " + " UNION ".join(["SELECT id FROM t"] * 300)

    for text in (deep, joins, union, "CREATE TABLE t (a int, " + "b" * 9_000 + " int)"):
        try:
            after("CREATE TABLE t (id int)", text)
        except Unparsable:
            continue
    with pytest.raises(Unparsable):
        after("SELECT " + "(" * 20_000)
