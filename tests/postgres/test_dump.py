"""A dump: one snapshot of a database, made by pg_dump, with nothing secret in sight."""

import itertools
import uuid
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deployments.postgres.backup import dump as dumping
from deployments.postgres.backup import measure as measuring
from deployments.postgres.backup.archive import read_to_end
from tests.postgres.conftest import PASSWORD
from tests.postgres.dumps import HOLDER, contents, dumped, newest, processes, restore, tables_of
from tests.postgres.places import Stopper


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Locks are held here to stop the time, not to be waited for in vain."""
    monkeypatch.setattr(dumping, "LOCK_WAIT_MILLISECONDS", 60_000)


@pytest.fixture
def ledger(place):
    """A place with a table of a thousand rows, and one without any."""
    place.do("CREATE TABLE ledger (id int PRIMARY KEY, points int)", "CREATE TABLE users (id int)")
    place.do("INSERT INTO ledger SELECT number, number FROM generate_series(1, 1000) number")
    return place


@pytest.fixture
def fresh_database(superuser):
    """The name of an empty database to restore into."""
    name = f"restored_{uuid.uuid4().hex}"
    superuser.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_what_is_restored_is_the_snapshot_although_rows_were_written_meanwhile(ledger, tmp_path, fresh_database):
    def write_meanwhile(seen):
        """Called when the snapshot is exported and pg_dump has not begun."""
        ledger.do("INSERT INTO ledger SELECT number, 0 FROM generate_series(1001, 1500) number", "DELETE FROM users")
        return newest(seen.server_version)

    ledger.do("INSERT INTO users VALUES (1), (2)")
    result = dumped(ledger, tmp_path / "a dump", choose=write_meanwhile)
    restore(tmp_path / "a dump", ledger.superuser_url, fresh_database)

    with psycopg.connect(ledger.superuser_url, dbname=fresh_database) as restored:
        assert restored.execute("SELECT count(*), sum(points) FROM ledger").fetchone() == (1000, 500500)
        assert restored.execute("SELECT count(*) FROM users").fetchone() == (2,)
    assert result.measured.rows['"public"."ledger"'] == 1000
    assert result.measured.rows['"public"."users"'] == 2
    assert ledger.rows("SELECT count(*) FROM ledger") == [(1500,)]


def test_a_dump_says_which_database_it_is_of_and_of_what_moment(ledger, tmp_path):
    before = ledger.rows("SELECT clock_timestamp(), pg_current_wal_lsn()")[0]

    result = dumped(ledger, tmp_path / "dump")

    assert result.identity.database_name == ledger.rows("SELECT current_database()")[0][0]
    assert result.server_version == ledger.connect().info.server_version
    assert result.client == newest(result.server_version)
    assert before[0] < result.at < ledger.rows("SELECT clock_timestamp()")[0][0]
    assert ledger.rows("SELECT %s::pg_lsn >= %s::pg_lsn", result.lsn, before[1]) == [(True,)]
    assert "table public.ledger" in result.measured.schema


def test_neither_password_nor_address_is_in_sight_while_pg_dump_runs(ledger, tmp_path, meanwhile, eventually):
    blocker = ledger.connect("importer")
    blocker.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
    folder = tmp_path / "dump"
    work = meanwhile(dumped, ledger, folder)
    eventually(lambda: ledger.sessions("wait_event_type = 'Lock'"))

    seen = processes("pg_dump", f"--file={folder}")
    secrets = [
        line.partition("=")[2] for _, told in seen.values() for line in told.split("\0") if line.startswith("PGPASS")
    ]
    blocker.execute("ROLLBACK")
    work.result(timeout=60)

    assert seen
    shown = "".join(command + environment for command, environment in seen.values())
    assert PASSWORD not in shown
    assert ledger.target.connection.removeprefix("env:") not in shown
    assert "SECRET_KEY" not in shown
    assert str(ledger.connect().info.port) not in "".join(command for command, _ in seen.values())
    assert secrets  # it was told the password in a file …
    assert not any(Path(path).exists() for path in secrets)  # … that is gone


def test_every_session_of_a_dump_has_the_name_that_a_takeover_looks_for(ledger, tmp_path, meanwhile, eventually):
    blocker = ledger.connect("importer")
    blocker.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    work = meanwhile(dumped, ledger, tmp_path / "dump")
    eventually(lambda: ledger.sessions("wait_event_type = 'Lock'"))

    named = ledger.sessions(f"application_name = '{HOLDER.session_name}'")
    others = ledger.rows(
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND application_name NOT LIKE 'locktender/%' AND application_name <> 'importer'"
    )
    blocker.execute("ROLLBACK")
    work.result(timeout=60)

    assert len(named) == 3  # the one that exports, pg_dump's, and the guard's
    assert others == []


def test_a_password_may_have_any_character_that_a_line_can_have(ledger, tmp_path, monkeypatch):
    password = "a b:c\\d'e\"f#g=%@/ü "
    role = f"odd_{uuid.uuid4().hex}"
    ledger.administer(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)).as_string(),
        f"GRANT pg_read_all_data TO {role}",
    )
    try:
        url = psycopg.conninfo.make_conninfo(ledger.url, user=role, password=password)
        monkeypatch.setenv(ledger.target.connection.removeprefix("env:"), url)

        result = dumped(ledger, tmp_path / "dump")
    finally:
        ledger.administer(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert result.measured.rows['"public"."ledger"'] == 1000


def test_libpq_variables_of_the_worker_do_not_reach_pg_dump(ledger, tmp_path, monkeypatch):
    monkeypatch.setenv("PGAPPNAME", "stray")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGDATABASE", "elsewhere")
    monkeypatch.setenv("PGSERVICEFILE", "/nowhere")

    result = dumped(ledger, tmp_path / "dump")

    assert result.measured.rows['"public"."ledger"'] == 1000


def test_only_the_named_tables_are_dumped_whatever_their_names_are(place, tmp_path):
    odd = ['We"ird.*Na me', "order", "UPPER", "a?b[c]|(d)+$\\", "größe", "-x", "a,b", "line\nbreak"]
    for name in [*odd, "We1ird", "upper", "a1b", "other", "x"]:
        place.administer(
            f"CREATE TABLE {sql.Identifier(name).as_string()} (id int)",
            f"INSERT INTO {sql.Identifier(name).as_string()} VALUES (1)",
            f"ALTER TABLE {sql.Identifier(name).as_string()} OWNER TO package_migrator",
        )
    only = [table for table in tables_of(place) if table.name in odd]

    result = dumped(place, tmp_path / "dump", only=only)

    assert sorted(result.measured.rows) == sorted(str(table) for table in only)
    assert set(result.measured.rows.values()) == {1}
    dumped_data = [line for line in contents(tmp_path / "dump") if " TABLE DATA " in line]
    assert len(dumped_data) == len(odd)
    assert not any(f" public {name} " in line for line in dumped_data for name in ("We1ird", "upper", "other", "x"))


def test_names_are_found_in_a_database_of_another_encoding(place, superuser, tmp_path, monkeypatch):
    name = f"latin_{uuid.uuid4().hex}"
    superuser.execute(
        f"CREATE DATABASE {name} OWNER package_migrator TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc"
        " LOCALE 'C'"
    )
    try:
        monkeypatch.setenv(
            place.target.connection.removeprefix("env:"), psycopg.conninfo.make_conninfo(place.url, dbname=name)
        )
        with psycopg.connect(place.url, dbname=name, autocommit=True) as opened:
            opened.execute("CREATE TABLE \"größe\" AS SELECT 'ä'::text AS wert")
            row = opened.execute("SELECT oid FROM pg_class WHERE relname = 'größe'").fetchone()

        result = dumped(place, tmp_path / "dump", only=[measuring.Table(row[0], "public", "größe")])
    finally:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert result.measured.rows == {'"public"."größe"': 1}


def test_what_takes_too_long_to_count_is_not_measured(ledger, tmp_path, monkeypatch):
    ledger.do("CREATE TABLE slow AS SELECT number FROM generate_series(1, 300000) number")
    monkeypatch.setattr(measuring, "HASH_TIMEOUT", timedelta(milliseconds=1))

    result = dumped(ledger, tmp_path / "dump")

    assert result.measured.rows['"public"."slow"'] is None
    assert any(" public slow " in line for line in contents(tmp_path / "dump"))  # it is dumped all the same


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_tells_tables_and_bytes(ledger, tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(dumping, "PROGRESS_SECONDS", 0)
    told = []
    blocker = ledger.connect("importer")

    def look(values):
        told.append(values)
        blocker.execute("ROLLBACK")

    blocker.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")  # until it has told something
    dumped(ledger, tmp_path / "dump", progress=look, jobs=jobs)

    ((tables,),) = ledger.rows("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'locktender')")
    assert told[0] == {"tables": tables, "tables_done": 0, "table": "", "bytes": 0, "jobs": jobs}
    assert all(later["tables_done"] >= earlier["tables_done"] for earlier, later in itertools.pairwise(told))


def test_a_dump_can_be_read_to_its_end(ledger, tmp_path):
    facts = dumped(ledger, tmp_path / "dump").files

    read_to_end(tmp_path, newest(), facts, stop=Stopper())

    assert {"dump/toc.dat.zst"} < facts.keys()
    assert all(fact["bytes"] > 0 and len(fact["sha256"]) == 64 for fact in facts.values())
    assert sum(fact["bytes"] for fact in facts.values()) == sum(
        path.stat().st_size for path in (tmp_path / "dump").iterdir()
    )
