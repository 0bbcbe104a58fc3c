"""The embedded PostgreSQL server after kills, crashes and losses: its data, its port, and what was left running."""

import os
import signal
import subprocess
import threading

import psycopg
import pytest

from controlplane.embedded import InitialisationFailed, OtherDataVersion, PasswordMissing, PostgresBinaries
from tests.controlplane.postgres import ask, keep_a_row, quick


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
