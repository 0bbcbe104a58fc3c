"""Opening a session with a target: every refusal has a code, and no text shows what the secret holds."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from controlplane.embedded import PostgresServer
from deployments.errors import DeploymentError
from deployments.postgres.catalog import observe
from deployments.postgres.connect import LINK_ERRORS, Target, session
from deployments.postgres.errors import PrivilegeMissing, ServerTooOld
from deployments.postgres.history import SqlPairsHistory
from deployments.postgres.privileges import require_owner_role
from tests.postgres.places import script
from tests.postgres.proxy import DOWN, Proxy

SECRET = "s3cret-of-tests"


def refusal(target: Target) -> DeploymentError:
    with pytest.raises(DeploymentError) as refused, session(target):
        pytest.fail("a session was opened")
    return refused.value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": SECRET}, "target-password-refused"),
        ({"user": "nobody_of_that_name", "password": SECRET}, "target-password-refused"),
        ({"dbname": "no_such_database"}, "target-database-missing"),
        ({"port": "1"}, "target-unreachable"),
        ({"host": "does-not-exist.invalid"}, "target-unreachable"),
        ({"host": "192.0.2.1", "hostaddr": "not an address"}, "target-unreachable"),
        ({"port": "no-number"}, "target-unreachable"),
        ({"sslmode": "require"}, "target-tls"),
        ({"sslmode": "verify-full", "sslrootcert": "/nowhere/root.crt"}, "target-tls"),
    ],
)
def test_a_connection_that_does_not_lead_there_is_refused_with_its_code(place, monkeypatch, changes, code):
    told = refusal(place.at(make_conninfo(place.url, **changes), monkeypatch))

    assert told.code == code
    assert str(told).startswith("shop/staging/main ")
    assert "of-tests" not in str(told)
    assert told.__cause__ is None  # the driver's own text is not dragged along


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "  \n",
        "this is no connection string s3cret",
        "postgresql://user:s3cret@[::1",
        "host=a password='s3cret",
        "mysql://user:s3cret@host/database",
        "host=localhost s3cret=1",
        "postgresql://user:p%zzs3cret@host/db",
        "host=/nowhere sslmode=s3cret",
    ],
)
def test_a_secret_that_is_no_connection_string_is_refused_and_never_quoted(place, monkeypatch, garbage):
    told = refusal(place.at(garbage, monkeypatch))

    assert told.code in {"secret-unusable", "target-unreachable", "target-tls"}
    assert "s3cret" not in str(told)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:part-one@s3cret@127.0.0.1:1/db",
        "postgresql://user:part/s3cret@127.0.0.1:1/db",
        "postgresql://user:12/s3cret@127.0.0.1:1/db",
        "postgresql://user:part:s3cret@127.0.0.1:1/db",
        "postgresql://user:part?s3cret@127.0.0.1:1/db",
        "postgresql://user:part#s3cret@127.0.0.1:1/db",
    ],
)
def test_a_password_with_signs_that_belong_encoded_does_not_leak_as_host_or_port(place, monkeypatch, address):
    told = str(refusal(place.at(address, monkeypatch)))

    assert "s3cret" not in told
    assert "part" not in told


@pytest.mark.parametrize("reference", ["env:NO_SUCH_VARIABLE", "file:/nowhere/secret", "file:/tmp"])
def test_a_reference_that_leads_nowhere_is_refused_by_its_name(place, reference):
    told = refusal(replace(place.target, connection=reference))

    assert told.code == "secret-missing"
    assert f"The connection {reference} cannot be read" in str(told)


def test_a_secret_may_be_a_file_with_a_line_end(place, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(f"{place.url}\n")

    with session(replace(place.target, connection=f"file:{secret}")) as opened:
        assert opened.execute("SELECT 1").fetchone() == (1,)


def test_a_file_that_is_not_text_is_no_secret(place, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff\xfe\x00s3cret")

    told = refusal(replace(place.target, connection=f"file:{secret}"))

    assert (told.code, told.__cause__) == ("secret-unusable", None)


def test_a_pooler_is_recognised_by_the_process_id_it_invents(place, monkeypatch):
    def pretend(_link, direction, data):
        key = b"K\x00\x00\x00\x0c"
        at = data.find(key)
        if direction is DOWN and at >= 0:
            start = at + len(key)
            return data[:start] + b"\x7f\x00\x00\x01" + data[start + 4 :]
        return data

    with Proxy(place.url) as proxy:
        target = place.at(proxy.url, monkeypatch)
        with session(target) as opened:  # a proxy that changes nothing is none
            assert opened.execute("SELECT 1").fetchone() == (1,)
        proxy.rule = pretend

        assert refusal(target).code == "pooler-between"


def test_a_standby_is_refused(place, monkeypatch):
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108
    try:
        with PostgresServer(folder, durable=False, settings={"fsync": "off"}) as server:
            target = place.at(server.superuser_url(), monkeypatch)
            with session(target) as opened:
                assert opened.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
            (server.data / "standby.signal").touch()
            server.restart()

            assert refusal(target).code == "target-in-recovery"
    finally:
        shutil.rmtree(folder)


def test_a_connection_cut_while_it_is_opened_is_a_target_that_cannot_be_reached(place, monkeypatch):
    def cut(link, direction, data):
        if direction is DOWN and b"pg_is_in_recovery" in data:
            link.cut()
            return b""
        return data

    with Proxy(place.url, cut) as proxy:
        assert refusal(place.at(proxy.url, monkeypatch)).code == "target-unreachable"


def test_a_session_is_named_bounded_and_closed_after_its_block(place):
    with session(place.target, name="locktender/job=1/fence=1") as opened:
        assert place.sessions("application_name = 'locktender/job=1/fence=1'") == [opened.info.backend_pid]
        assert opened.info.encoding == "utf-8"
        assert opened.info.get_parameters()["connect_timeout"] == "5"
    assert opened.closed


def test_a_session_is_closed_when_its_block_fails(place):
    with pytest.raises(LINK_ERRORS), session(place.target) as opened:
        opened.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert opened.closed


def test_a_role_that_may_not_act_as_the_owner_is_refused_with_the_remedy_that_works(place, superuser, monkeypatch):
    owner = "Owner of the shop"
    superuser.execute(f'DROP ROLE IF EXISTS "{owner}"')
    superuser.execute(f'CREATE ROLE "{owner}"')
    try:
        target = replace(place.target, owner_role=owner)
        with session(target) as opened, pytest.raises(PrivilegeMissing) as refused:
            require_owner_role(opened, target)
        remedy = str(refused.value).rpartition("run: ")[2]
        assert remedy == f'GRANT "{owner}" TO "package_migrator"'

        superuser.execute(remedy)
        place.administer(f'GRANT ALL ON SCHEMA public TO "{owner}"')
        with session(target) as opened:
            require_owner_role(opened, target)
            assert opened.execute("SELECT current_user").fetchone() == ("package_migrator",)
        with place.desk(target=target) as desk:
            desk.run(script("CREATE TABLE ledger (id int)", "001"))
            desk.run(script("CREATE INDEX CONCURRENTLY by_id ON ledger (id)", "002"))

        owners = place.rows(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname IN ('ledger', 'by_id')"
        )
        assert owners == [(f'"{owner}"',)]
        assert place.history() == [("001", "forward"), ("002", "forward")]
    finally:
        place.administer(f'DROP OWNED BY "{owner}"')
        superuser.execute(f'DROP ROLE "{owner}"')


def test_a_server_that_is_too_old_is_refused(place, monkeypatch):
    monkeypatch.setattr("deployments.postgres.catalog.OLDEST_SERVER", 990000)

    with session(place.target) as opened, pytest.raises(ServerTooOld, match="14 is the oldest supported"):
        observe(opened, place.target, SqlPairsHistory())


def test_a_role_that_may_not_read_the_identity_of_the_server_gets_the_sql_that_lets_it(place):
    place.administer("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")

    with session(place.target) as opened:
        with pytest.raises(PrivilegeMissing) as refused:
            observe(opened, place.target, SqlPairsHistory())
        remedy = str(refused.value).rpartition("run: ")[2]
        place.administer(remedy)

        assert observe(opened, place.target, SqlPairsHistory()).identity.database_name in place.url


def test_observing_writes_nothing_and_needs_no_right_but_to_connect(place, package_migrator):
    with session(place.target) as opened:
        before = opened.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        seen = observe(opened, place.target, SqlPairsHistory())
        assert opened.info.transaction_status.name == "IDLE"

    assert (seen.history, seen.connections > 0) == ([], True)
    assert before is not None
