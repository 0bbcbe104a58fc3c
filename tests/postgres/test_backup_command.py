"""A driver's command: who may be run, what it is told and answers, that it can neither hang nor shout; our wrappers."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.postgres.backup import command
from deployments.postgres.backup.command import Driver, DriverFailed, DriverUnusable, unusable
from deployments.postgres.stopped import CancelledOnRequest
from tests.postgres.dumps import processes
from tests.postgres.places import Stopper

DRIVERS = Path(__file__).resolve().parents[2] / "backup_drivers"
SERVER = "7481000000000000001"
ASKED = {"run": 12, "job": 34, "fence": 56, "lsn": "0/5000060", "at": "now", "system_identifier": SERVER,
         "restore_point": "lkt_1_34_56"}  # fmt: skip


@pytest.fixture
def program(tmp_path):
    """Return a function that writes a program and returns its path."""

    def write(body: str, name: str = "driver", mode: int = 0o755) -> Path:
        path = tmp_path / name
        path.write_text(body if body.startswith("#!") else f"#!/bin/sh\n{body}\n")
        path.chmod(mode)
        return path

    return write


def ask(path: Path, phase: str = "backup", **changes) -> dict:
    return Driver("mine", path, **changes).ask(phase, ASKED, stop=Stopper())


def test_it_is_told_by_standard_input_alone_and_has_the_environment_it_is_given(program, tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "s3cret")
    monkeypatch.setenv("PGPASSWORD", "of the worker")
    heard = tmp_path / "heard"
    answers = 'echo "{\\"protocol\\": 1, \\"x\\": 2}"'
    path = program(f'cat > {heard}; env >> {heard}; echo "arguments: $#" >> {heard}; {answers}')

    answer = ask(path, environment={"REPO_KEY": "env:A_SECRET"})

    told = heard.read_text()
    assert answer == {"protocol": 1, "x": 2}
    assert json.loads(told[: told.index("}") + 1]) == {"protocol": 1, "phase": "backup", **ASKED}
    assert "REPO_KEY=s3cret" in told
    assert "arguments: 0" in told
    assert "of the worker" not in told
    assert "A_SECRET" not in told


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo what went wrong: $KEY >&2; exit 7", "ended with 7: what went wrong: …"),
        ("exit 7", "ended with 7: without a word"),
        ("echo no", "no JSON"),
        ("echo '[1]'", "no object"),
        ("echo '{\"protocol\": 2}'", "no object"),
        ("head -c 70000 /dev/zero", "more than 65536 bytes"),
    ],
)
def test_what_is_no_answer_is_no_backup_and_no_secret_is_told(program, monkeypatch, body, why):
    monkeypatch.setenv("A_SECRET", "s3cret")

    with pytest.raises(DriverFailed, match=why) as refused:
        ask(program(body), environment={"KEY": "env:A_SECRET"})

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("ends", ["time", "person"])
def test_one_that_hangs_is_ended_with_everything_it_started(program, tmp_path, ends):
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    path = program(f"sh -c ': {mark}; sleep 600' & sh -c ': {mark}; sleep 600; true'")
    stop = Stopper()
    if ends == "person":
        stop.asked.set()
    limit = timedelta(seconds=0.3 if ends == "time" else 60)

    with pytest.raises(DriverFailed if ends == "time" else CancelledOnRequest):
        Driver("mine", path, timeout=limit).ask("backup", ASKED, stop=stop)

    assert processes(mark) == {}


def test_only_a_program_that_nobody_else_can_change_is_run(program, tmp_path):
    good = program("echo '{\"protocol\": 1}'", "good")
    open_to_all = program("exit 0", "open", 0o777)
    not_executable = program("exit 0", "data", 0o644)
    shared = tmp_path / "shared"
    shared.mkdir()
    inside = shared / "driver"
    inside.write_text("#!/bin/sh\n")
    inside.chmod(0o755)
    shared.chmod(0o777)
    (tmp_path / "link").symlink_to(open_to_all)

    assert unusable(good) == ""
    assert "everybody may write it" in unusable(open_to_all)
    assert "everybody may write it" in unusable(tmp_path / "link")
    assert "everybody may write its folder" in unusable(inside)
    assert "cannot be looked at" in unusable(tmp_path / "missing")
    assert "no file" in unusable(tmp_path)
    assert "not absolute" in unusable(Path("driver"))
    assert os.getuid() == 0 or "cannot be executed" in unusable(not_executable)
    with pytest.raises(DriverUnusable, match="everybody may write it"):
        ask(open_to_all)


def test_a_program_of_somebody_else_is_not_run(program, monkeypatch):
    path = program("exit 0")
    if os.getuid() == 0:
        os.chown(path, 4711, 4711)
    else:
        monkeypatch.setattr(command.os, "getuid", lambda: 4711)

    assert "belongs neither to root nor to the user" in unusable(path)


INFO = {
    "name": "rewards",
    "status": {"code": 0, "message": "ok"},
    "db": [{"id": 1, "system-id": int(SERVER), "version": "17"}],
    "archive": [{"id": "17-1", "min": "000000010000000000000001", "max": "000000010000000000000005"}],
    "backup": [
        {
            "label": "20261123-010000F",
            "error": False,
            "backrest": {"version": "2.55"},
            "info": {"size": 900, "repository": {"size": 300}},
            "lsn": {"start": "0/2000028", "stop": "0/2000100"},
            "timestamp": {"start": 1, "stop": 0},
        }
    ],
}  # fmt: skip


@pytest.fixture
def tools(program, tmp_path, monkeypatch):
    """Programs that speak as the tools do, before all others on the path; they note how they were called."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)  # a shim of a version manager would put its own programs first
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write(name: str, body: str) -> None:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/called\n{body}\n')
        path.chmod(0o755)

    write.called = lambda: (folder / "called").read_text().splitlines()
    return write


def pgbackrest(tools, monkeypatch, *, age_seconds: float = 3600, archived: str = "000000010000000000000005") -> Path:
    """Let pgBackRest be there, with one base backup of this age, and return the driver."""
    info = json.loads(json.dumps(INFO))
    info["backup"][0]["timestamp"]["stop"] = int(time.time() - age_seconds)
    info["archive"][0]["max"] = archived
    tools("pgbackrest", f"case \"$*\" in *info*) cat <<'X'\n{json.dumps([info])}\nX\n;; esac")
    monkeypatch.setenv("STANZA", "rewards")
    return DRIVERS / "pgbackrest"


STANZA = {"PGBACKREST_STANZA": "env:STANZA"}


def test_pgbackrest_vouches_for_a_base_backup_and_the_log_up_to_the_point(tools, monkeypatch):
    path = pgbackrest(tools, monkeypatch)

    answer = ask(path, environment=STANZA)

    assert answer["restore_point"] == "lkt_1_34_56"
    assert (answer["backup"], answer["version"], answer["bytes"]) == ("20261123-010000F", "pgBackRest 2.55", 300)
    assert tools.called()[0].endswith("check")  # the archive is asked before it is believed
    there = Driver("mine", path, STANZA).ask("check", {**ASKED, "backup": answer["backup"]}, stop=Stopper())
    gone = Driver("mine", path, STANZA).ask("check", {**ASKED, "backup": "20260101-010000F"}, stop=Stopper())
    assert (there["there"], gone["there"]) == (True, False)


@pytest.mark.parametrize(
    ("changes", "asked", "why"),
    [
        ({"age_seconds": 30 * 3600}, {}, "is 30 h old"),
        ({"archived": "000000010000000000000004"}, {}, "is not in the archive"),
        ({}, {"system_identifier": "42"}, "of another server"),
        ({}, {"lsn": "0/1000000"}, "there is no base backup"),
    ],
)
def test_pgbackrest_vouches_for_nothing_that_cannot_be_restored(tools, monkeypatch, changes, asked, why):
    path = pgbackrest(tools, monkeypatch, **changes)

    with pytest.raises(DriverFailed, match=why):
        Driver("mine", path, STANZA).ask("backup", {**ASKED, **asked}, stop=Stopper())


def test_wal_g_vouches_once_the_segment_with_the_point_was_fetched(tools, monkeypatch):
    at = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = (("base_2", 0x2000100, int(SERVER)), ("later", 0x9000100, int(SERVER)), ("other", 0x3000100, 42))
    listed = [
        {"backup_name": name, "finish_time": at, "finish_lsn": lsn, "system_identifier": server}
        for name, lsn, server in known
    ]
    tools("psql", 'case "$*" in *walfile*) echo 000000010000000000000005;; esac')
    fetched = '[ "$(grep -c wal-fetch "${0%/*}/called")" -gt 1 ]'  # the second time it is there
    tools("wal-g", f"case \"$1\" in backup-list) cat <<'X'\n{json.dumps(listed)}\nX\n;; wal-fetch) {fetched};; esac")
    monkeypatch.setenv("SOON", "0.01")

    answer = ask(DRIVERS / "wal-g", environment={"LOOK_SECONDS": "env:SOON"})

    assert answer["backup"] == "base_2 000000010000000000000005"
    assert any("pg_switch_wal" in line for line in tools.called())
    there = Driver("mine", DRIVERS / "wal-g").ask("check", {**ASKED, "backup": answer["backup"]}, stop=Stopper())
    gone = Driver("mine", DRIVERS / "wal-g").ask("check", {**ASKED, "backup": "base_1 00"}, stop=Stopper())
    assert (there["there"], gone["there"]) == (True, False)


def test_a_snapshot_is_waited_for_and_one_that_an_attempt_began_is_taken(tools, monkeypatch):
    name = "locktender-run-12-job-34-56"
    shown = {"DBSnapshotIdentifier": name, "EngineVersion": "17.4", "SnapshotCreateTime": "t", "Encrypted": True}
    states = [json.dumps({"DBSnapshots": [shown | {"Status": state}]}) for state in ("creating", "available")]
    tools(
        "aws",
        f"case \"$2\" in describe*) if [ $(grep -c describe ${{0%/*}}/called) -lt 3 ]; then echo '{states[0]}'; "
        f"else echo '{states[1]}'; fi;; *) exit 9;; esac",
    )
    monkeypatch.setenv("SOON", "0.01")
    monkeypatch.setenv("INSTANCE", "rewards")

    answer = ask(DRIVERS / "rds-snapshot", environment={"RDS_INSTANCE": "env:INSTANCE", "LOOK_SECONDS": "env:SOON"})

    assert answer["restore_point"] == f"snapshot {name}"
    assert not any("create-db-snapshot" in line for line in tools.called())
    told = {"RDS_INSTANCE": "env:INSTANCE"}
    gone = Driver("mine", DRIVERS / "rds-snapshot", told).ask("check", {"backup": "another"}, stop=Stopper())
    assert gone["there"] is False
