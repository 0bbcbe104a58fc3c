"""The processes of a campaign: found by a mark in their environment, kept running by a supervisor as by init."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Self

from tests.faults.forked import COMM, Forked

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "LOCKTENDER_FAULT_CAMPAIGN"
FORKS = "forks"
LOOK_SECONDS = 0.1


def marked(mark: str, *, called: str = "", among: Iterable[int] | None = None) -> Iterator[tuple[int, str, list[str]]]:
    """Yield process id, name and arguments of every living process that carries this mark, except our own.

    `called` is how the names of those begin that are of interest, `among` are process ids.
    """
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir() if among is None else [Path("/proc", str(pid)) for pid in among]:
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            name = (folder / "comm").read_text().rstrip()
            if not name.startswith(called):
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            # a zombie has no arguments
            if words[0] and wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name), name, words


def executors(mark: str, job_id: int | None = None) -> list[int]:
    """Return the living executors, of one job or of all.

    For one that was launched and is a fork, there are two: the fork, and the process that waits for it.
    """
    found = marked(mark, called=COMM.format(job="")), marked(mark, called="python")
    return [pid for pid, name, words in chain(*found) if _executes(name, words, job_id)]


def is_executor(pid: int, mark: str, job_id: int) -> bool:
    """Whether a process lives and is an executor of this job."""
    return any(_executes(name, words, job_id) for _, name, words in marked(mark, among=[pid]))


def _executes(name: str, words: list[str], job_id: int | None) -> bool:
    if "execute_job" in words:
        number = words[words.index("execute_job") + 1]
    else:
        called, _, number = name.partition(COMM.format(job=""))
        if called or not number:
            return False
    return job_id is None or number == str(job_id)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False if the process had ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def is_stopped(pid: int) -> bool:
    """Whether a process is halted by SIGSTOP."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


@dataclass
class Kept:
    """A process that is started again whenever it ends."""

    name: str
    command: Sequence[str]  # of a program; of one that is had from the fork server, what that takes
    process: subprocess.Popen[bytes] | Forked | None = None
    killed: bool = False  # by us: no surprise


@dataclass
class Supervisor:
    """Does what an init system does: starts what has ended, whatever it was. Started and ended by `with`."""

    environment: Mapping[str, str]
    folder: Path
    forks: str  # where the fork server is to listen
    kept: list[Kept] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)  # what ended without being killed
    _closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.kept.append(Kept(FORKS, [sys.executable, "-m", "tests.faults.forks", self.forks]))
        self.kept.append(Kept("worker", celery("worker")))
        self.kept += [Kept(f"dispatcher-{number}", ["dispatch"]) for number in (1, 2)]
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while any(kept.process is None for kept in self.kept):
            time.sleep(LOOK_SECONDS)
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._thread.join()
        for pid, _, _ in list(marked(self.environment[MARK])):
            send(pid, signal.SIGKILL)
        for kept in self.kept:
            if kept.process is not None:
                kept.process.wait()

    def kill(self, name: str, *, whole: bool = False) -> None:
        """End one by SIGKILL; `whole` takes the children in its process group along, which executors are not in."""
        with self._lock:
            kept = next(one for one in self.kept if one.name == name)
            kept.killed = True
            if kept.process is not None:
                with suppress(ProcessLookupError):
                    (os.killpg if whole else os.kill)(kept.process.pid, signal.SIGKILL)
                kept.process.wait()

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            with self._lock:
                for kept in self.kept:
                    self._restart(kept)

    def _restart(self, kept: Kept) -> None:
        if kept.process is not None and (status := kept.process.poll()) is None:
            return
        if kept.process is not None and not kept.killed:
            self.surprises.append(f"{kept.name} ended by itself with status {status} at {time.strftime('%H:%M:%S')}")
        told, tells = os.pipe()  # an executor that may write no more to files can still say so
        try:
            kept.process = self._start(kept, tells)
        except OSError:  # the fork server is not there yet
            os.close(told)
            return
        finally:
            os.close(tells)
        kept.killed = False
        log = (self.folder / f"{kept.name}.log").open("ab", buffering=0)
        threading.Thread(target=shutil.copyfileobj, args=(os.fdopen(told, "rb", 0), log), daemon=True).start()

    def _start(self, kept: Kept, output: int) -> subprocess.Popen[bytes] | Forked:
        with Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), output, output)
            if kept.name != FORKS:
                return Forked(self.forks, kept.command, streams)
            return subprocess.Popen(
                kept.command,
                cwd=ROOT,
                env=self.environment,
                stdin=nothing,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def manage(*arguments: str) -> list[str]:
    """Return the argument list of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def celery(name: str) -> list[str]:
    """Return the argument list of a Celery worker with four slots."""
    options = ["-Q", "jobs", "-n", f"{name}@faults", "--concurrency", "4", "--without-mingle", "--without-gossip"]
    return ["celery", "-A", "controlplane", "worker", "--loglevel", "INFO", *options]
