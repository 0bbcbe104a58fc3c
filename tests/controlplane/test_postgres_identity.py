"""Under which user the embedded PostgreSQL server runs, and whose its files are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from controlplane.embedded import CannotLeaveRoot, LocalServers, find_postgres, identity
from tests.controlplane.postgres import ask, keep_a_row, quick

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become someone else")


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


def as_nobody(home, code):
    """Run code as an ordinary user, with the modules of the tests, and return what it printed."""
    # Before 3.11.3 redis-py asks for this package, which an environment made for a later Python does not have.
    (home / "async_timeout.py").write_text("from asyncio import timeout\n")
    return subprocess.run(
        [python_for_everyone(), "-c", f"import os, psycopg; from pathlib import Path\n{code}"],
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
    ).stdout


@needs_root
def test_a_normal_user_needs_nothing_special(open_folder):
    home = open_folder / "home"
    home.mkdir()
    shutil.chown(home, "nobody")

    answer = as_nobody(
        home,
        "from controlplane.embedded import *\n"
        "with PostgresServer(Path('data folder'), durable=False) as s:\n"
        "    answer = psycopg.connect(s.superuser_url()).execute('SELECT 42').fetchone()[0]\n"
        "    print(os.geteuid(), s.data.stat().st_uid, answer)",
    ).split()

    assert answer[0] == answer[1] != "0"
    assert answer[2] == "42"


@needs_root
@pytest.mark.parametrize("given_back", [(), ("lock", "postgres.lock")])
def test_a_user_whose_folder_root_took_is_told_how_to_get_it_back(open_folder, given_back):
    home = open_folder / "home"
    home.mkdir()
    with LocalServers(home / "servers", given={}, durable=False):
        pass
    shutil.chown(home / "servers", "nobody")
    for name in given_back:
        shutil.chown(home / "servers" / name, "nobody")

    answer = as_nobody(
        home,
        "from controlplane.embedded import *\n"
        "try:\n    LocalServers(Path('servers'), given={}).__enter__()\n"
        "except FolderNotOurs as refusal:\n    print(refusal)",
    )

    assert f"is closed to the user that runs this, so the servers in {home}/servers cannot be started" in answer
    assert "chown -R" in answer
