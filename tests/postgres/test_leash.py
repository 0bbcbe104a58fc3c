"""What a killed process leaves on the disk, a password with it, is removed by the next one: if it is ours, and dead."""

import os
import signal
from pathlib import Path

import pytest

from deployments.postgres import leash
from deployments.postgres.programs import running
from tests.engine.processes import eventually

SECRET = {"PGPASSFILE": "*:*:*:*:of-tests-only"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def passwords(folder: Path) -> list[Path]:
    return list(folder.glob("*/PGPASSFILE"))


def killed(folder: Path) -> Path:
    """Return the folder that a process left which was killed while its program ran."""
    known = set(passwords(folder))
    with running(Path("/bin/sh"), ["-c", "echo $PPID $$ >&2; exec sleep 600"], files=SECRET) as program:
        eventually(lambda: program.said)
        (left,) = set(passwords(folder)) - known
        for pid in program.said[0].split():  # and the program, which nobody ends now
            os.kill(int(pid), signal.SIGKILL)
    return left.parent


def run(folder: Path) -> None:
    """Run a program to its end, as the next one does."""
    with running(Path("/bin/true"), [], files={}) as program:
        eventually(lambda: program._process.poll() is not None)  # noqa: SLF001


def test_what_a_killed_process_left_is_removed_by_the_next_one(folder):
    left = killed(folder)
    assert (left / "PGPASSFILE").read_text() == SECRET["PGPASSFILE"]

    run(folder)

    assert not left.exists()


def test_what_a_living_process_holds_and_what_is_not_ours_stays(folder):
    strange = folder / f"{leash.PREFIX}strange"
    strange.mkdir()
    (strange / "PGPASSFILE").write_text("somebody's")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / leash.LOCK).touch()
    (folder / f"{leash.PREFIX}link").symlink_to(elsewhere)
    with running(Path("/bin/sh"), ["-c", "echo on >&2; exec sleep 600"], files=SECRET) as program:
        eventually(lambda: program.said)
        held = set(passwords(folder))

        run(folder)

        assert set(passwords(folder)) == held
    assert len(held) == 2
    assert (elsewhere / leash.LOCK).exists()
    assert [path.parent for path in passwords(folder)] == [strange]
