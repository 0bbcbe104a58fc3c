"""The snapshot of a schema: a role that may only connect sees every change, and that it is undone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from checks.schema import Snapshot, difference
from checks.schema.hashes import canonical
from deployments.postgres.connect import session
from deployments.postgres.snapshots import read_snapshot
from tests.postgres.conftest import PASSWORD
from tests.postgres.places import Place

CASES = Path(__file__).parent / "mutations"
READER = "package_reader"
# Every table of the server's catalogue is read, or it is said here why nothing in it is the schema's.
READ = """
pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_cast pg_class pg_collation pg_constraint pg_conversion
pg_database pg_db_role_setting pg_default_acl pg_depend pg_description pg_enum pg_event_trigger pg_extension
pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_index pg_inherits pg_init_privs pg_language pg_namespace
pg_opclass pg_operator pg_opfamily pg_partitioned_table pg_policy pg_proc pg_publication pg_publication_namespace
pg_publication_rel pg_range pg_rewrite pg_seclabel pg_sequence pg_shdescription pg_shseclabel pg_statistic_ext
pg_subscription pg_tablespace pg_transform pg_trigger pg_ts_config pg_ts_config_map pg_ts_dict pg_ts_parser
pg_ts_template pg_type pg_user_mapping
"""
NOT_OF_THE_SCHEMA = """
pg_auth_members pg_authid pg_largeobject pg_largeobject_metadata pg_parameter_acl pg_replication_origin pg_shdepend
pg_statistic pg_statistic_ext_data pg_subscription_rel
"""


@dataclass
class Shop:
    """A place with every kind of object; a superuser who changes it, and a role without rights that reads it."""

    place: Place
    admin: psycopg.Connection
    reader: psycopg.Connection
    names: dict[str, str] = field(default_factory=dict)

    def do(self, statements: str) -> None:
        self.admin.execute(self.told(statements))

    def look(self) -> Snapshot:
        with self.reader.transaction():
            return read_snapshot(self.reader)

    def told(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text


@pytest.fixture
def shop(place: Place, superuser) -> Iterator[Shop]:
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(3)")  # the workers of pytest-xdist share the server
        if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER]).fetchone():
            superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(READER), PASSWORD))
    url = make_conninfo(place.url, user=READER)
    options = {"autocommit": True, "prepare_threshold": None}
    with psycopg.connect(place.superuser_url, **options) as admin, psycopg.connect(url, **options) as reader:
        reader.read_only = True
        admin.execute((CASES / "schema.sql").read_text(encoding="utf-8"))
        maintain = " MAINTAIN," if admin.info.server_version >= 170000 else ""
        names = {"owner": admin.info.user, "database": admin.info.dbname, "maintain": maintain}
        yield Shop(place, admin, reader, names)


def cases(name: str) -> Iterator[tuple[str, str, list[str]]]:
    for block in (CASES / f"{name}.sql").read_text(encoding="utf-8").strip().split("\n\n")[1:]:
        change, inverse, *lines = block.splitlines()
        yield change, inverse, [line.removeprefix("-- ") for line in lines]


def test_every_change_is_told_in_words_and_vanishes_when_it_is_undone(shop):
    before = shop.look()
    seen = 0
    # A change that is not undone stands beside the next one, so one look after each is enough, and one at the end.
    for change, inverse, lines in (*cases("relations"), *cases("others")):
        shop.do(change)
        told = [re.sub(r"SHA-256 \w+", "SHA-256 ...", line) for line in difference(before, shop.look()).lines()]
        assert told == [shop.told(line) for line in lines], change
        shop.do(inverse)
        seen += 1

    after = shop.look()
    assert difference(before, after).is_identical
    assert (after.fingerprint, after.exact_fingerprint) == (before.fingerprint, before.exact_fingerprint)
    assert seen >= 60
    assert "hidden" not in canonical(after.records)


def test_another_order_of_columns_is_told_but_is_not_unequal(shop):
    before = shop.look()

    shop.do("ALTER TABLE users DROP name; ALTER TABLE users ADD name text")

    after, found = shop.look(), difference(before, shop.look())
    assert found.is_equal
    assert not found.is_identical
    assert found.lines() == ["table public.users: column order: id, name, note -> id, note, name"]
    assert after.fingerprint == before.fingerprint
    assert after.exact_fingerprint != before.exact_fingerprint


def test_rows_and_what_the_server_counts_for_itself_do_not_show(shop):
    before = shop.look()

    shop.do("INSERT INTO ledger (id) VALUES (1); SELECT nextval('numbers')")
    for alone in ("ANALYZE", "REFRESH MATERIALIZED VIEW frozen", "VACUUM FULL ledger"):
        shop.do(alone)

    assert difference(before, shop.look()).is_identical


def test_the_search_path_of_a_session_changes_nothing_and_is_left_alone(shop):
    shop.do("CREATE TABLE app.users (id int)")
    before = shop.look()

    with session(shop.place.target) as opened:
        opened.execute("SET search_path = app, public")
        assert difference(before, read_snapshot(opened)).is_identical
        assert opened.execute("SHOW search_path").fetchone() == ("app, public",)


def test_how_a_database_writes_values_changes_no_fingerprint_and_is_left_alone(shop):
    shop.do(
        "CREATE TABLE app.written (id int, at timestamptz DEFAULT '2026-11-02 01:00+00', day date DEFAULT '2026-11-02',"
        " span interval DEFAULT '1 day 02:00', bytes bytea DEFAULT '\\xff00', part float8 DEFAULT 0.1,"
        " price money DEFAULT 1234.5, word text DEFAULT 'a\\b', CHECK (at > '2020-01-01 00:00+01'))"
    )
    before, hashes = shop.look(), shop.look().hashes
    names = {
        "DateStyle": "German",
        "IntervalStyle": "iso_8601",
        "TimeZone": "Asia/Tokyo",
        "bytea_output": "escape",
        "extra_float_digits": "-5",
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
    }

    with session(shop.place.target) as opened, opened.transaction():
        for name, value in names.items():
            opened.execute("SELECT set_config(%s, %s, false)", [name, value])
        found = read_snapshot(opened)
        kept = {name: opened.execute(f"SHOW {name}").fetchone()[0] for name in names}

    assert difference(before, found).lines() == []
    assert found.hashes == hashes
    assert (kept["bytea_output"], kept["TimeZone"]) == ("escape", "Asia/Tokyo")
    assert kept["DateStyle"].startswith("German")


def test_our_own_schema_and_members_of_extensions_are_no_part_of_it(shop):
    names = shop.look().records.keys()

    assert not [name for name in names if "locktender" in name or ("citext" in name and name != "extension citext")]
    assert not [name for name in names if name.startswith("grants on")]
    assert {"table public.users", "schema public"} <= names


def test_what_needs_an_object_is_found_however_far_away_it_is(shop):
    shop.do("CREATE VIEW rich AS SELECT owner FROM totals; CREATE TABLE note (by public.mood)")

    read = shop.look()

    assert read.of(["ledger"]).records.keys() == {
        "table public.ledger", "view public.totals", "view public.rich", "materialized view public.frozen",
    }  # fmt: skip
    assert "table public.ledger" in read.of(["public.users"]).records  # by its foreign key
    assert "sequence public.counted_nr_seq" in read.of(["counted"]).records
    assert "table public.parts_1" in read.of(["parts"]).records
    assert read.of(["touch"]).records.keys() >= {"function public.touch()", "table public.ledger"}
    assert read.of(["mood"]).records.keys() == {"type public.mood", "table public.note"}
    assert read.of(["ledger"], with_dependents=False).records.keys() == {"table public.ledger"}


def test_nothing_in_the_catalogue_of_this_server_was_forgotten(superuser):
    found = superuser.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pg_catalog'::regnamespace"
    )

    assert {name for (name,) in found} == {*READ.split(), *NOT_OF_THE_SCHEMA.split()}
