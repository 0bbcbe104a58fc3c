"""A trial: it says what a deployment would meet, and writes nothing, neither there nor here."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from deployments.postgres.connect import connection_string
from deployments.postgres.trial import ask, open_read_only
from tests.postgres.places import Place

ROOT = Path(__file__).resolve().parents[2]
PAIRS = {
    "0001_orders.up.sql": "CREATE TABLE orders (id int PRIMARY KEY, total int);",
    "0001_orders.down.sql": "DROP TABLE orders;",
    "0002_total.up.sql": "ALTER TABLE orders ALTER COLUMN total TYPE bigint;",
    "0002_total.down.sql": "ALTER TABLE orders ALTER COLUMN total TYPE int;",
}
# The counters of VACUUM in pg_class may move by themselves.
CATALOGUE = """
SELECT
  (SELECT md5(string_agg(concat(oid, relname, relnamespace, relfilenode, relnatts), ',' ORDER BY oid)) FROM pg_class),
  (SELECT md5(string_agg(n::text, ',' ORDER BY oid)) FROM pg_namespace n),
  (SELECT md5(string_agg(a::text, ',' ORDER BY attrelid, attnum)) FROM pg_attribute a)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PAIRS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def trial(place: Place, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as somebody who has installed nothing: no control database, no Redis."""
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "trial", "--migrations", folder, *arguments],
        env={"PATH": os.environ["PATH"], "TRIAL_DATABASE_URL": place.url, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_trial_says_what_a_deployment_would_meet(empty_place: Place, folder: Path):
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        other.execute("INSERT INTO orders SELECT n, n FROM generate_series(1, 10000) n; ANALYZE orders")

    answer = trial(empty_place, folder, "--format", "json")

    found = json.loads(answer.stdout)
    assert (found["layout"], found["pending"]) == ("sql-pairs", ["0001_orders", "0002_total"])
    assert found["is_installed"] is False
    remedies = [one["sql"] for one in found["missing_privileges"]]
    assert 'GRANT "postgres" TO "package_migrator";' in remedies  # the table is somebody else's
    assert empty_place.url not in answer.stdout + answer.stderr


def test_what_is_pending_is_judged_on_the_tables_that_are_there_with_their_sizes(empty_place: Place, tmp_path: Path):
    (tmp_path / "0001_total.up.sql").write_text(PAIRS["0002_total.up.sql"])
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        other.execute("INSERT INTO orders SELECT n, n FROM generate_series(1, 10000) n; ANALYZE orders")

    answer = trial(empty_place, tmp_path)

    assert re.search(r"ACCESS EXCLUSIVE +rewrites \d+ kB of orders", answer.stdout), answer.stdout
    assert "size unknown" not in answer.stdout
    assert "statement-will-fail" not in answer.stdout


def test_a_trial_prints_the_sql_of_what_is_missing(empty_place: Place, folder: Path):
    answer = trial(empty_place, folder)

    assert "Pending: 0001_orders, 0002_total." in answer.stdout
    assert "CREATE SCHEMA locktender;" in answer.stdout
    assert "History and files differ: none." in answer.stdout


def test_a_trial_writes_nothing(empty_place: Place, folder: Path):
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute("CREATE TABLE orders (id int)")
        before = other.execute(CATALOGUE).fetchone()
        with open_read_only(connection_string(empty_place.target), empty_place.target) as opened:
            ask(opened, empty_place.target, "sql-pairs")
            refused = pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
            with refused:
                opened.execute("CREATE TABLE t (id int)")
            with refused, opened.transaction():
                opened.execute("INSERT INTO orders VALUES (1)")

        assert trial(empty_place, folder).returncode == 0

        assert other.execute(CATALOGUE).fetchone() == before
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (0,)


@pytest.mark.parametrize(
    ("layout", "setup", "versions"),
    [
        ("dbmate", "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)", []),
        (
            "goose",
            """
            CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean);
            INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false)
            """,
            ["1"],
        ),
        (
            "diesel",
            """
            CREATE TABLE __diesel_schema_migrations (version varchar, run_on timestamp);
            INSERT INTO __diesel_schema_migrations VALUES ('20200101', now())
            """,
            ["20200101"],
        ),
        ("flyway", "SELECT 1", []),
        ("plain", "SELECT 1", None),
    ],
)
def test_what_other_tools_applied_is_read_or_said_to_be_unknown(
    empty_place: Place, layout: str, setup: str, versions: list[str] | None
):
    with psycopg.connect(empty_place.url, autocommit=True) as owner:
        owner.execute(setup)

    with open_read_only(connection_string(empty_place.target), empty_place.target) as opened:
        found = ask(opened, empty_place.target, layout).applied

    assert (found if found is None else [one.name for one in found]) == versions


def test_without_a_connection_nothing_is_asked_and_nothing_contacted(empty_place: Place, folder: Path):
    answer = subprocess.run(
        [sys.executable, ROOT / "manage.py", "trial", "--migrations", folder],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert answer.returncode == 1
    assert "Set TRIAL_DATABASE_URL, or name a service." in answer.stderr


def test_a_service_of_libpq_leads_there(empty_place: Place, folder: Path, tmp_path: Path):
    parts = psycopg.conninfo.conninfo_to_dict(empty_place.url)
    services = tmp_path.parent / f"{tmp_path.name}.conf"
    services.write_text("[shop]\n" + "".join(f"{name}={value}\n" for name, value in parts.items()))

    answer = trial(empty_place, folder, "--service", "shop", PGSERVICEFILE=str(services), TRIAL_DATABASE_URL="")

    assert "Pending: 0001_orders" in answer.stdout


# What somebody who may write in the database leaves there for an administrator: it writes as whoever calls it. No
# rollback undoes what it takes: a number where it can write, and a lock in any case.
HOSTILE = """
CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO public;
CREATE SEQUENCE evil.loot; GRANT ALL ON evil.loot TO public;
CREATE FUNCTION evil.strike() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_catalog.set_config('default_transaction_read_only', 'off', false);
  PERFORM pg_catalog.set_config('search_path', 'evil, pg_catalog', false);
  BEGIN PERFORM pg_catalog.set_config('transaction_read_only', 'off', false); EXCEPTION WHEN OTHERS THEN NULL; END;
  PERFORM pg_catalog.pg_advisory_lock(666);
  BEGIN PERFORM pg_catalog.nextval('evil.loot'); EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN true;
END $$;
CREATE FUNCTION evil.has_function_privilege(text, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.strike()';
CREATE FUNCTION evil.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT NOT evil.strike()';
CREATE FUNCTION evil.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT evil.strike()::int';
CREATE FUNCTION evil.set_config(text, text, bool) RETURNS text LANGUAGE sql AS 'SELECT evil.strike()::text';
CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT evil.strike()::text::regclass';
CREATE FUNCTION evil.to_regnamespace(text) RETURNS regnamespace LANGUAGE sql
  AS 'SELECT CASE WHEN evil.strike() THEN NULL::regnamespace END';
"""
LOOT = "SELECT is_called FROM evil.loot"
CALLED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 666"


def test_a_view_in_the_place_of_a_history_is_refused_and_never_read(empty_place: Place, tmp_path: Path):
    (tmp_path / "001_a.sql").write_text("-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n")
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute(HOSTILE)
        other.execute("CREATE VIEW public.schema_migrations AS SELECT evil.strike()::text AS version")
        before = other.execute(CATALOGUE).fetchone()

        answer = trial(empty_place, tmp_path, "--layout", "dbmate", TRIAL_DATABASE_URL=empty_place.superuser_url)

        assert "history-not-a-table" in answer.stderr
        assert "public.schema_migrations" in answer.stderr
        assert other.execute(LOOT).fetchone() == (False,)
        assert other.execute(CATALOGUE).fetchone() == before


def test_code_that_runs_while_a_history_is_read_cannot_make_the_trial_write(empty_place: Place):
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute(HOSTILE)
        other.execute("CREATE TABLE public.schema_migrations AS SELECT '1' AS version")
        other.execute(
            "GRANT SELECT ON schema_migrations TO public; ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY"
        )
        other.execute("CREATE POLICY struck ON schema_migrations USING (evil.strike())")

        with open_read_only(connection_string(empty_place.target), empty_place.target) as opened:
            found = ask(opened, empty_place.target, "dbmate")
            assert other.execute(CALLED).fetchone() == (1,)  # it did run

        assert found.applied is not None
        assert [one.name for one in found.applied] == ["1"]
        assert found.rights.is_installed is False
        assert other.execute(LOOT).fetchone() == (False,)


@pytest.mark.parametrize("layout", ["dbmate", "prisma", "sql-pairs"])
def test_the_search_path_of_a_database_leads_the_trial_to_no_function_of_others(empty_place: Place, layout: str):
    database = psycopg.conninfo.conninfo_to_dict(empty_place.url)["dbname"]
    with psycopg.connect(empty_place.superuser_url, autocommit=True) as other:
        other.execute(HOSTILE)
        other.execute(f'ALTER DATABASE "{database}" SET search_path = evil, pg_catalog, public')

        with open_read_only(empty_place.superuser_url, empty_place.target) as opened:
            found = ask(opened, empty_place.target, layout)
            assert other.execute(CALLED).fetchone() == (0,)

        assert found.applied == []
        assert found.schema.path[0] == "evil"  # where a bare name of a migration leads
        assert other.execute(LOOT).fetchone() == (False,)


def test_options_that_a_connection_has_already_are_kept(empty_place: Place):
    secret = psycopg.conninfo.make_conninfo(empty_place.url, options="-c search_path=pg_temp")

    with open_read_only(secret, empty_place.target) as opened:
        assert opened.execute("SHOW search_path").fetchone() == ("pg_temp",)
        assert opened.execute("SHOW transaction_read_only").fetchone() == ("on",)
