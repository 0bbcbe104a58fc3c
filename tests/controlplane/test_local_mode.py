"""`make dev` and what runs beside it: children that end with their owner, and an address that others find."""

import json
import os
import signal
import sys
from contextlib import contextmanager, suppress

import pytest

from controlplane import local
from controlplane.embedded import ServerEnded
from controlplane.embedded.children import Children

# A child as the worker is one: what it starts in a session of its own stands for an executor.
CHILD = (
    "import subprocess, sys, time\n"
    "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
    "far = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, start_new_session=True)\n"
    "print('executor', far.pid, flush=True)\n"
    "time.sleep(60)"
)
OWNER = (
    "import os\nfrom controlplane.embedded.children import Children\n"
    "with Children() as children:\n"
    f"    child = children.start([sys.executable, '-c', {CHILD!r}, 'known'], known_by='known', environment=os.environ,"
    " cwd=folder)\n"
    "    print('child', child.pid, flush=True)\n"
    "    sys.stdin.readline()\n"
)


@pytest.fixture
def started(spawn_owner):
    """An owner, its child, and what the child started in a session of its own."""
    owner = spawn_owner(OWNER)
    pids = dict(owner.stdout.readline().split() for _ in range(2))
    yield owner, int(pids["child"]), int(pids["executor"])
    with suppress(ProcessLookupError):
        os.kill(int(pids["executor"]), signal.SIGKILL)


def test_children_end_with_an_owner_that_is_killed_and_executors_do_not(started, eventually, alive):
    owner, child, executor = started

    owner.kill()
    owner.wait()

    assert eventually(lambda: not alive(child))
    assert alive(executor)


def test_children_end_with_their_owner_and_so_does_the_watcher(started, descendants, alive):
    owner, _, executor = started
    family = descendants(owner.pid) - {executor}
    assert len(family) == 3

    owner.communicate("done\n", timeout=30)

    assert owner.returncode == 0
    assert not [pid for pid in family if alive(pid)]
    assert alive(executor)


def sleeper(*_arguments):
    return [sys.executable, "-c", "import time; time.sleep(60)", "dispatch", "worker", "runserver"]


class Servers:
    """Servers that are found ended at the second look."""

    def __init__(self):
        self.looks = 0

    def require_running(self):
        self.looks += 1
        if self.looks == 2:
            raise ServerEnded(server="postgres", log="postgres.log")


@pytest.fixture
def stand_in(monkeypatch):
    """Stand-ins for everything that `dev` starts; what Children made of them can be looked at."""
    servers, made = Servers(), []

    @contextmanager
    def product():
        yield servers, dict(os.environ)

    class Watched(Children):
        def start(self, _command, **options):
            made.append(super().start(sleeper(), **options))
            return made[-1]

    monkeypatch.setattr(local, "product", product)
    monkeypatch.setattr(local, "Children", Watched)
    return servers, made


def test_serving_ends_when_a_server_does(stand_in):
    with pytest.raises(ServerEnded, match="postgres ended by itself"):
        local.dev([])

    assert [process.returncode for process in stand_in[1]] == [-signal.SIGTERM] * 3


def test_serving_ends_when_a_child_does(stand_in, monkeypatch):
    servers, made = stand_in
    monkeypatch.setattr(servers, "require_running", lambda: os.kill(made[1].pid, signal.SIGKILL))

    assert local.dev([]) == -signal.SIGKILL

    assert all(process.returncode is not None for process in made)


def test_commands_beside_it_find_it_and_nobody_else_may_read_where_it_is(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        monkeypatch.delenv(name)
    assert local.running(tmp_path) is None

    with local.product(tmp_path) as (servers, environment):
        told = json.loads((tmp_path / "environment").read_text())
        assert local.running(tmp_path) == environment == os.environ | told
        assert told.items() >= servers.environment().items()
        modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("environment", "secret_key")}

    assert modes == {"environment": 0o600, "secret_key": 0o600}
    assert local.running(tmp_path) is None
