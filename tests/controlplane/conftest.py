"""What the tests of the embedded servers share: looking at processes, and owners that can be killed."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def descendants() -> Callable[[int], set[int]]:
    """Return a function from a process id to it and all its descendants that are alive."""

    def look(pid: int) -> set[int]:
        children: dict[int, set[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                children.setdefault(int(parent), set()).add(int(stat.parent.name))
        found, waiting = {pid}, [pid]
        while waiting:
            new = children.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    return look


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Return a function that tells whether a process is alive; one that is not collected yet is dead."""

    def look(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return look


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Return a function that waits up to 30 seconds for a condition and tells whether it came true."""

    def wait(condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        return condition()

    return wait


@pytest.fixture
def spawn_owner(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that runs Python code in an owner process; `folder` is a path in it."""
    owners: list[subprocess.Popen[str]] = []

    def spawn(code: str) -> subprocess.Popen[str]:
        program = (
            # A test run that was itself started in the background ignores Ctrl-C, and children inherit that.
            "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from pathlib import Path\nfrom controlplane.embedded import *\n"
            f"folder = Path({str(tmp_path)!r})\n{code}"
        )
        owners.append(
            subprocess.Popen(
                [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        return owners[-1]

    yield spawn
    for owner in owners:
        owner.terminate()  # an owner of local servers stops them; a kill would leave them behind
        owner.communicate(timeout=30)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike tmp_path."""
    folder = Path(tempfile.mkdtemp(prefix="open-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
