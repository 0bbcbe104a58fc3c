"""A sample of a restored backup, how far its restore is, and single tables of it beside those of now."""

import os
import uuid
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deployments.postgres.backup import beside
from deployments.postgres.backup.archive import write_manifest
from deployments.postgres.backup.beside import CopyDiffers, SideSchemaTaken
from deployments.postgres.backup.compare import compare
from deployments.postgres.backup.measure import Limits
from deployments.postgres.backup.restore import restore_to
from deployments.postgres.backup.scratch import Purpose, Scratch, drop_scratch
from deployments.postgres.backup.sealing import NO_KEYS
from deployments.postgres.backup.tables import TableDiffers, TableNotInBackup, Wanted, put_beside
from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import Target
from tests.postgres.dumps import HOLDER, dumped, newest
from tests.postgres.places import Place, Stopper
from tests.servers import SUPERUSER_URL

PLANE = uuid.uuid4()
CONTENT = (
    "CREATE TYPE tier AS ENUM ('basic', 'gold')",
    "CREATE DOMAIN points AS numeric(8, 2) CHECK (VALUE >= 0)",
    'CREATE TABLE "the users" (id int PRIMARY KEY, tier tier, points points)',
    'ALTER TABLE "the users" ADD twice int GENERATED ALWAYS AS (id * 2) STORED',
    "INSERT INTO \"the users\" SELECT n, 'gold', n / 3.0 FROM generate_series(1, 300) n",
    "CREATE TABLE ledger (id bigint, day int, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
    "CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES FROM (1) TO (10)",
    "CREATE TABLE ledger_2 PARTITION OF ledger DEFAULT",
    "INSERT INTO ledger SELECT n, n % 20, repeat('x', 100) FROM generate_series(1, 4000) n",
    "CREATE TABLE keyless AS SELECT n FROM generate_series(1, 100) n",
    "ANALYZE",
)
SINCE = (
    'DELETE FROM "the users" WHERE id > 100',
    "ALTER TYPE tier RENAME VALUE 'gold' TO 'silver'",
    "ALTER DOMAIN points ADD CONSTRAINT small CHECK (VALUE < 50)",
    "TRUNCATE ledger",
)
BOTH = ("public.ledger", "public.the users")


@pytest.fixture(scope="module")
def backup(superuser, tmp_path_factory):
    """A backup of which only a sample was hashed, and its database, in which much has happened since."""
    name, folder = f"sampled_{os.getpid()}", tmp_path_factory.mktemp("store") / "fence-1"
    superuser.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
    url = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    with psycopg.connect(url, autocommit=True) as opened, pytest.MonkeyPatch.context() as patch:
        for statement in CONTENT:
            opened.execute(statement)
        patch.setenv("SAMPLED", url)
        target = Target(database_id=1, name="shop/staging/main", connection="env:SAMPLED")
        folder.mkdir()
        place = Place(target, url, PLANE, url)
        made = dumped(place, folder / "dump", limits=Limits(whole_bytes=100_000, sampled_bytes=10**12))
        content = made.as_manifest() | {"scope": "database"}
        for statement in SINCE:
            opened.execute(statement)
        yield folder, write_manifest(folder, content), place
    superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_what_is_too_big_is_compared_by_a_sample_and_never_called_equal(backup, tmp_path):
    folder, manifest, place = backup
    name, told = Scratch.named(PLANE, Purpose.VERIFY, job=os.getpid(), fence=1), []
    try:
        restored = restore_to(
            place.target, HOLDER, place=folder, manifest=manifest, name=str(name), client=newest(), jobs=2,
            into=tmp_path / "unpacked", stop=Stopper(), progress=told.append, expected={"unpack": 3600.0},
        )  # fmt: skip

        compared = restored.compared
        assert (compared.is_equal, compared.differences) == (False, ())
        assert set(compared.sampled) == {'"public"."ledger_1"', '"public"."ledger_2"'}
        assert compared.not_compared == ()
        phases = [one["restoring"]["phase"] for one in told]
        assert list(dict.fromkeys(phases)) in (["unpack", "rows", "compare"], ["unpack", "rows", "indexes", "compare"])
        assert told[0]["restoring"]["left_seconds"] >= 3590
        assert all(one["restoring"]["left_seconds"] is None for one in told if one["restoring"]["phase"] != "unpack")

        with psycopg.connect(os.environ["SAMPLED"], dbname=str(name), autocommit=True) as opened:
            opened.execute("UPDATE ledger SET note = 'y' WHERE id % 2 = 0")  # of two thousand rows some are in it
            opened.execute("DELETE FROM keyless WHERE n = 7")
        there = replace(place.target, dbname=str(name))
        found = compare(there, manifest.content, name="a test", jobs=2, stop=Stopper()).differences
        assert '"public"."keyless" has 99 rows instead of 100' in found
        assert '"public"."ledger_1" has as many rows, and not the same ones' in found
    finally:
        drop_scratch(place.target, name, name="a test")


@pytest.fixture
def put(backup, tmp_path):
    """Return a function that puts tables of the backup beside those of now, and leaves no schema after the test."""
    folder, manifest, place = backup
    side = f"lkt_run_1_{os.getpid()}"

    def do(*named: str, mark: str = "ours", content: dict | None = None):
        return put_beside(
            place.target, place.target, HOLDER, Wanted(named, side, mark), place=folder,
            manifest=replace(manifest, content=manifest.content | (content or {})),
            scratch=Scratch.named(PLANE, Purpose.TABLES, job=os.getpid(), fence=1), client=newest(), jobs=2,
            into=tmp_path / "unpacked", stop=Stopper(), progress=lambda _: None, keys=NO_KEYS,
        )  # fmt: skip

    do.side, do.place, do.manifest = side, place, manifest
    yield do
    place.do(f"DROP SCHEMA IF EXISTS {side} CASCADE")


def schema_of(place: Place) -> dict:
    with psycopg.connect(place.url, autocommit=True) as opened:
        return snapshot(opened)


def left_of(put) -> tuple[list, list]:
    """Return whether there is a schema, and scratch databases of this process."""
    scratch = f"lkt\\_%\\_tables\\_{os.getpid()}\\_%"
    return (
        put.place.rows("SELECT nspname FROM pg_namespace WHERE nspname = %s", put.side),
        put.place.rows("SELECT datname FROM pg_database WHERE datname LIKE %s", scratch),
    )


def test_tables_stand_beside_those_of_now_as_the_backup_had_them_and_nothing_else_changed(put):
    place = put.place
    before = (schema_of(place), place.rows('SELECT count(*) FROM "the users"'))

    made = put(*BOTH)

    assert [(one.table, one.rows, one.as_text) for one in made] == [
        ("public.ledger", 4000, ()),
        ("public.the users", 300, ("tier",)),  # its value is not called so any more
    ]
    rows = place.rows(f'SELECT id, tier, points, twice FROM {put.side}."the users" WHERE id = 300')
    assert [(one[0], one[1], float(one[2]), one[3]) for one in rows] == [(300, "gold", 100.0, 600)]
    assert (schema_of(place), place.rows('SELECT count(*) FROM "the users"')) == before  # it is no drift
    assert left_of(put)[1] == []

    place.do(f'DELETE FROM {put.side}."the users"')
    assert put(*BOTH) == made  # a second attempt finds what the first one made, and makes nothing
    assert place.rows(f'SELECT count(*) FROM {put.side}."the users"') == [(0,)]


def test_a_schema_of_somebody_else_is_left_alone(put):
    put.place.do(f"CREATE SCHEMA {put.side}", f"CREATE TABLE {put.side}.theirs ()")

    with pytest.raises(SideSchemaTaken):
        put(*BOTH)

    there = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace"
    assert put.place.rows(there, put.side) == [("theirs",)]


@pytest.mark.parametrize("kind", ["missing", "changed", "stopped"])
def test_what_does_not_come_to_its_end_leaves_neither_a_schema_nor_a_database(put, monkeypatch, kind):
    named, content, refusal = BOTH, {}, TableDiffers
    if kind == "missing":
        named, refusal = ("public.ledger", "public.users"), TableNotInBackup
    elif kind == "changed":
        rows = put.manifest.content["rows"]
        content = {"rows": rows | {'"public"."ledger_1"': 7}}
    else:
        refusal = CopyDiffers

        def stop(*_: object) -> str:
            raise CopyDiffers(table="public.ledger")  # at the very last, when all is copied

        monkeypatch.setattr(beside, "side_comment", stop)

    with pytest.raises(refusal):
        put(*named, content=content)

    assert left_of(put) == ([], [])
