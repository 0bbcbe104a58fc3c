"""The servers of local mode together: roles, addresses, one owner per checkout, and an orderly end."""

import os
import signal
import subprocess
from urllib.parse import urlsplit

import psycopg
import pytest
from redis import Redis

from controlplane.embedded import AlreadyStarted, DatabaseHalfGiven, LocalServers, ServerEnded
from controlplane.embedded.interruptions import Interruptions

READY = "with LocalServers(folder, given={}, durable=False):\n    print('ready', flush=True)\n    input()"
BOTH = {"DATABASE_URL": "postgresql://app@elsewhere/db", "DATABASE_OWNER_URL": "postgresql://owner@elsewhere/db"}


def local(folder, **given):
    return LocalServers(folder, given=given, durable=False)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """One pair of servers for the tests that only look at them."""
    with local(tmp_path_factory.mktemp("servers")) as started:
        yield started


def test_the_addresses_lead_to_the_servers(servers):
    addresses = servers.environment()

    assert sorted(addresses) == ["DATABASE_OWNER_URL", "DATABASE_URL", "REDIS_URL"]
    for name, role in (("DATABASE_URL", "locktender_app"), ("DATABASE_OWNER_URL", "locktender_owner")):
        with psycopg.connect(addresses[name]) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (role, "locktender")
    assert Redis.from_url(addresses["REDIS_URL"]).ping() is True


def test_only_the_owner_may_create_and_the_application_uses_what_it_is_granted(servers):
    addresses = servers.environment()
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as owner:
        owner.execute("CREATE TABLE history (id int)")
        owner.execute("GRANT SELECT ON history TO locktender_app")

    with psycopg.connect(addresses["DATABASE_URL"], autocommit=True) as app:
        assert app.execute("SELECT count(*) FROM history").fetchone() == (0,)
        for forbidden in (
            "CREATE TABLE mine ()",
            "CREATE TEMPORARY TABLE mine ()",
            "CREATE SCHEMA mine",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "INSERT INTO history VALUES (1)",
            "DROP TABLE history",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege,)):
                app.execute(forbidden)


def test_another_role_may_not_even_connect(servers):
    servers.postgres.ensure_role("stranger", password="stranger")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(servers.postgres.url("locktender", role="stranger", password="stranger"))


def test_data_and_passwords_are_the_same_at_the_next_start(tmp_path):
    with local(tmp_path) as first:
        passwords = [urlsplit(url).password for url in first.environment().values()]
        with psycopg.connect(first.environment()["DATABASE_OWNER_URL"]) as owner:
            owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    with local(tmp_path) as second:
        assert [urlsplit(url).password for url in second.environment().values()] == passwords
        with psycopg.connect(second.environment()["DATABASE_OWNER_URL"]) as owner:
            assert owner.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_every_password_is_in_a_private_file(servers):
    for url in servers.environment().values():
        secret = urlsplit(url).password
        holding = [path for path in servers.folder.iterdir() if path.is_file() and secret in path.read_text()]
        assert holding
        assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_a_given_database_starts_no_postgres(tmp_path):
    with local(tmp_path, **BOTH) as servers:
        assert servers.postgres is None
        assert servers.environment().items() > BOTH.items()
        assert Redis.from_url(servers.environment()["REDIS_URL"]).ping() is True

    assert not (tmp_path / "postgres").exists()


def test_with_everything_given_nothing_is_started(tmp_path):
    given = BOTH | {"REDIS_URL": "redis://elsewhere/0"}

    with local(tmp_path, **given) as servers:
        assert (servers.postgres, servers.redis) == (None, None)
        assert servers.environment() == given

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_environment_of_this_process_is_looked_at_by_default(tmp_path, monkeypatch):
    for name, value in BOTH.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REDIS_URL", "")

    servers = LocalServers(tmp_path)

    assert servers.postgres is None
    assert servers.redis is not None


@pytest.mark.parametrize(("given", "missing"), [tuple(BOTH), tuple(BOTH)[::-1]])
def test_half_a_database_is_refused(tmp_path, given, missing):
    with pytest.raises(DatabaseHalfGiven, match=f"{given} is set but {missing} is not"):
        local(tmp_path, **{given: BOTH[given]})


def test_a_second_start_in_the_same_folder_names_the_first(tmp_path, spawn_owner):
    first = spawn_owner(READY)
    assert first.stdout.readline() == "ready\n"

    with pytest.raises(AlreadyStarted, match=f"Process {first.pid} already runs"):
        local(tmp_path).__enter__()

    assert first.poll() is None


def test_a_leftover_of_a_killed_owner_is_taken_over(tmp_path, spawn_owner, descendants, alive):
    first = spawn_owner(READY)
    first.stdout.readline()
    left = descendants(first.pid) - {first.pid}
    first.kill()
    first.wait()
    assert any(alive(pid) for pid in left)

    with local(tmp_path) as servers:
        assert not [pid for pid in left if alive(pid)]
        assert Redis.from_url(servers.environment()["REDIS_URL"]).ping() is True


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_ends_everything_in_order(tmp_path, spawn_owner, descendants, alive, number, code):  # noqa: PLR0917
    owner = spawn_owner(READY)
    owner.stdout.readline()
    pids = descendants(owner.pid)
    assert len(pids) > 4

    owner.send_signal(number)

    assert owner.wait(20) == code
    assert not [pid for pid in pids if alive(pid)]
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text().splitlines()[-1]


def test_a_signal_during_the_start_leaves_nothing_running(tmp_path, spawn_owner, descendants, eventually, alive):
    owner = spawn_owner(READY)
    seen = set()
    assert eventually(lambda: seen.update(descendants(owner.pid)) or (tmp_path / "postgres" / "PG_VERSION").exists())

    owner.send_signal(signal.SIGTERM)
    assert eventually(lambda: seen.update(descendants(owner.pid)) or owner.poll() is not None)

    assert owner.wait() == 143
    assert owner.stdout.read() == ""
    assert not [pid for pid in seen if alive(pid)]


@pytest.fixture
def default_signals():
    """The handlers of a fresh process: other servers of this module may have put theirs in place."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_held_signal_is_raised_when_the_start_is_done_and_never_during_the_stop_it_begins(default_signals):
    interruptions = Interruptions()
    interruptions.install()
    try:
        os.kill(os.getpid(), signal.SIGTERM)  # during a start
        with pytest.raises(SystemExit, match="143"):
            interruptions.resume()
        os.kill(os.getpid(), signal.SIGINT)  # during the stop
        with pytest.raises(KeyboardInterrupt):
            interruptions.remove()
    finally:
        interruptions.remove()


def test_an_impatient_second_ctrl_c_does_not_cut_the_stop_short(tmp_path, spawn_owner, descendants, alive):
    owner = spawn_owner(READY)
    owner.stdout.readline()
    pids = descendants(owner.pid)

    for _ in range(5):
        owner.send_signal(signal.SIGINT)
        try:
            owner.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        break

    owner.wait(20)
    assert not [pid for pid in pids if alive(pid)]


def test_a_failed_start_gives_everything_back(tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    (tmp_path / "redis").write_text("a file where a folder belongs")

    with pytest.raises(FileExistsError):
        local(tmp_path).__enter__()

    (tmp_path / "redis").unlink()
    with local(tmp_path) as servers:
        assert servers.postgres.is_running
    assert not servers.postgres.is_running
    assert signal.getsignal(signal.SIGTERM) == handler


def test_a_server_that_ended_by_itself_is_named(tmp_path):
    with local(tmp_path) as servers:
        servers.require_running()
        servers.redis.kill()

        with pytest.raises(ServerEnded, match=r"^redis ended by itself.* Read .*redis\.log"):
            servers.require_running()

        servers.redis.start()
        servers.require_running()
        servers.postgres.kill()
        with pytest.raises(ServerEnded, match="postgres ended"):
            servers.require_running()
