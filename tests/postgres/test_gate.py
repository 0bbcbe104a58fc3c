"""Who may change a schema is told exactly, the printed SQL ends it, and the gate refuses everybody else."""

import os

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from deployments.postgres.access import Access, read_access, read_clients
from deployments.postgres.backup.archive import write_manifest
from deployments.postgres.backup.restore import restore_to
from deployments.postgres.closing import closings, parting_sql
from deployments.postgres.connect import Target, session
from deployments.postgres.gate import gate_sql, gate_state, removal_sql
from deployments.postgres.snapshots import read_snapshot
from deployments.postgres.swap.carried import not_carried
from tests.postgres.conftest import MIGRATOR, PASSWORD
from tests.postgres.dumps import HOLDER, dumped, newest
from tests.postgres.places import Place, Stopper

APP, GROUP = "gate App", "gate_group"  # one of them needs its quotes


@pytest.fixture(scope="session")
def application(superuser) -> str:
    """A role as applications have it, and a group."""
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(4)")
        for role, rights in ((APP, "LOGIN"), (GROUP, "NOLOGIN")):
            if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                words = sql.SQL(f"CREATE ROLE {{}} {rights} PASSWORD {{}}")
                superuser.execute(words.format(sql.Identifier(role), PASSWORD))
    return APP


@pytest.fixture
def as_application(place: Place, application: str):
    """A session of the application's."""
    with psycopg.connect(make_conninfo(place.url, user=application), autocommit=True) as opened:
        yield opened


def access_of(place: Place) -> Access:
    with session(place.target) as opened:
        found = read_access(opened, place.target)
    assert Access.of_evidence(found.as_evidence()) == found
    return found


def run(place: Place, script: str) -> None:
    """Run printed SQL as a person would, as the superuser."""
    with psycopg.connect(place.superuser_url, autocommit=True) as administrator:
        administrator.execute(script.encode())


def test_the_printed_sql_takes_the_schema_from_a_role_and_leaves_it_its_work(place, as_application):
    place.administer(
        f'GRANT CREATE ON SCHEMA public TO "{APP}"',
        f"GRANT {MIGRATOR} TO {GROUP}",
        f'GRANT {GROUP} TO "{APP}"',
        "CREATE TABLE orders (id int); GRANT TRIGGER ON orders TO PUBLIC",
        f"ALTER TABLE orders OWNER TO {MIGRATOR}",
    )
    as_application.execute('CREATE TABLE "Own ""Table" (id serial PRIMARY KEY)')
    as_application.execute("CREATE FUNCTION own(a int) RETURNS int LANGUAGE sql AS 'SELECT a'")
    as_application.execute("CREATE TYPE mood AS ENUM ('good')")

    found = access_of(place)
    by_name = {one.role.name: one for one in closings(found)}

    assert found.ours == found.owner == MIGRATOR
    mine = by_name[APP].role
    assert mine.owns == (
        ("ROUTINE", "public.own(a integer)"),
        ("TABLE", 'public."Own ""Table"'),
        ("TYPE", "public.mood"),
    )
    assert (mine.member_of, mine.granted) == ((GROUP,), (("CREATE", "SCHEMA", "public"),))
    assert by_name[GROUP].role.member_of == (MIGRATOR,)
    assert by_name["PUBLIC"].role.granted == (("TRIGGER", "TABLE", "public.orders"),)

    for one in by_name.values():
        run(place, one.sql)

    assert [one.role.name for one in closings(access_of(place)) if one.role.name in {APP, GROUP, "PUBLIC"}] == []
    for statement in ("CREATE TABLE more (id int)", 'ALTER TABLE "Own ""Table" ADD note text', f"SET ROLE {MIGRATOR}"):
        with pytest.raises(errors.InsufficientPrivilege):
            as_application.execute(statement)
    as_application.execute('INSERT INTO "Own ""Table" DEFAULT VALUES')
    place.do("CREATE TABLE later (id int)")  # of a migration that comes after
    as_application.execute("INSERT INTO later VALUES (1)")


def test_the_gate_refuses_the_application_lets_us_through_and_can_be_taken_away(place, as_application, superuser):
    place.administer(f'GRANT CREATE ON SCHEMA public TO "{APP}"')
    as_application.execute("CREATE TABLE before (id int)")
    with session(place.target) as opened, opened.transaction():
        without = read_snapshot(opened).fingerprint
    run(place, gate_sql(database="here", roles=[MIGRATOR]))

    refused = (
        "CREATE TABLE more (id int)",
        "ALTER TABLE before ADD note text",
        "DROP TABLE before",
        "CREATE TABLE copied AS SELECT 1",
        "SELECT 1 AS id INTO copied",
        f'GRANT SELECT ON before TO "{GROUP}"',
        "COMMENT ON TABLE before IS 'mine'",
        "CREATE INDEX ON before (id)",
    )
    for statement in refused:
        with pytest.raises(errors.InsufficientPrivilege, match="changed by Locktender alone"):
            as_application.execute(statement)
    let_through = (
        "CREATE TEMP TABLE mine (id serial)",
        "ALTER TABLE mine ADD note text",
        "DROP TABLE mine",
        "CREATE TABLE IF NOT EXISTS before (id int)",
        "INSERT INTO before VALUES (1)",
        "TRUNCATE before",
        "ANALYZE before",
    )
    for statement in let_through:
        as_application.execute(statement)
    place.do("CREATE TABLE ours (id int)", "ALTER TABLE ours ADD note text", "DROP TABLE ours")
    place.administer("CREATE TABLE of_the_superuser (id int)", "DROP TABLE of_the_superuser")
    assert place.tables() == {"before"}
    assert access_of(place).gate.is_shut
    with session(place.target) as opened, opened.transaction():
        assert read_snapshot(opened).fingerprint == without  # it is no drift

    place.administer("ALTER EVENT TRIGGER locktender_gate_drops DISABLE")
    with session(place.target) as opened:
        assert (gate_state(opened).is_there, gate_state(opened).is_shut) == (True, False)
    run(place, removal_sql(database="here"))

    as_application.execute("DROP TABLE before")
    assert not access_of(place).gate.is_there


def test_an_application_that_signs_in_as_the_owner_is_given_a_role_of_its_own(place, superuser):
    place.do("CREATE TABLE orders (id serial)")
    new = f"gate_new_{os.getpid()}"
    try:
        run(place, parting_sql(access_of(place), application=new))
        superuser.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(new), PASSWORD))
        with psycopg.connect(make_conninfo(place.url, user=new), autocommit=True) as opened:
            opened.execute("INSERT INTO orders DEFAULT VALUES")
            with pytest.raises(errors.InsufficientPrivilege):
                opened.execute("ALTER TABLE orders ADD note text")
    finally:
        place.administer(f"DROP OWNED BY {new}", f"DROP ROLE {new}")


def test_a_restored_copy_works_with_the_gate_by_a_superuser_and_without_it_by_anybody_else(place, superuser, tmp_path):
    place.do("CREATE TABLE orders AS SELECT n FROM generate_series(1, 9) n")
    run(place, gate_sql(database="here", roles=[MIGRATOR]))
    made = dumped(place, tmp_path / "dump")
    content = made.as_manifest() | {"scope": "database"}
    manifest = write_manifest(tmp_path, content)
    restorer = f"gate_restorer_{os.getpid()}"
    superuser.execute(f"CREATE ROLE {restorer} LOGIN CREATEDB PASSWORD '{PASSWORD}' IN ROLE {MIGRATOR}")
    try:
        for who, has_gate in ((restorer, False), ("", True)):
            url = make_conninfo(place.url, user=restorer) if who else place.superuser_url
            os.environ["GATE_SERVER"] = url
            name = f"{superuser.info.dbname}_gate_{os.getpid()}"
            server = Target(0, "the rehearsal server", "env:GATE_SERVER")
            told = {"place": tmp_path, "manifest": manifest, "into": tmp_path / "unpacked.tmp", "stop": Stopper()}
            try:
                restored = restore_to(server, HOLDER, name=name, client=newest(), jobs=2, **told)
                assert restored.compared.is_equal, restored.compared
                with psycopg.connect(make_conninfo(url, dbname=name), autocommit=True) as inside:
                    assert gate_state(inside).is_shut is has_gate
                    inside.execute("CREATE TABLE more (id int)")
                    lost = [one for one in not_carried(inside, None) if "gate" in one]
                    assert lost == []
            finally:
                superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        with session(place.target) as opened:
            assert any("The gate, which is shut now" in one for one in not_carried(opened, None))
    finally:
        os.environ.pop("GATE_SERVER", None)
        superuser.execute(f"DROP ROLE {restorer}")


def test_who_is_in_a_database_is_told_by_role_and_application(place, as_application):
    as_application.execute("SET application_name = 'nightly migrate'")
    with session(place.target) as opened:
        hidden = read_clients(opened)
    with psycopg.connect(place.superuser_url) as opened:
        told = read_clients(opened)

    assert hidden == [{"role": APP, "application": None, "sessions": 1}]  # our own session is not told
    assert {"role": APP, "application": "nightly migrate", "sessions": 1} in told
