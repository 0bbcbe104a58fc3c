"""Run one program that ends when its owner does: started by path, as a process of its own between the two.

Its standard input tells, in one line of JSON, what may be seen by nobody: the files that the program needs, by the
variable that leads to each; the one without a name is what the program reads from its standard input. Then it stays
open for as long as the program may run. However the owner ends, the pipe closes, and the program is ended with
everything it has started. Imports nothing but the standard library.
"""

import fcntl
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "locktender-leash-"
LOCK = "alive"
POLITE_SECONDS = 5.0  # for pg_dump to cancel what it asked the server for


def main() -> int:
    """Run the program that the arguments name, and return its exit status; 128 and more for a signal, as shells do."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the password
    line = read_line()
    if not line:
        return 1  # the owner is gone already
    remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, alive_in(Path(folder)):
        told = json.loads(line)
        given = told.pop("", None)
        files = {variable: Path(folder, variable) for variable in told}
        for variable, text in told.items():
            files[variable].touch(mode=0o600)
            files[variable].write_text(text, encoding="utf-8")
        try:
            program = subprocess.Popen(
                sys.argv[1:],
                stdin=subprocess.DEVNULL if given is None else reading(given),
                env=os.environ | {variable: str(path) for variable, path in files.items()},
                process_group=0,
                restore_signals=False,  # a limit of file size is an error to tell then, not a death
            )
        except OSError as refused:
            sys.exit(f"{sys.argv[1]}: error: it cannot be run: {refused.strerror}")
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end, args=[program]).start())
        threading.Thread(target=end_with_owner, args=[program], daemon=True).start()
        status = program.wait()
        _send(program, signal.SIGKILL)  # what it started, and left
    return status if status >= 0 else 128 - status


@contextmanager
def alive_in(folder: Path) -> Iterator[None]:
    """Hold a lock in the folder for as long as this process lives: it is what tells a leftover. Nobody inherits it."""
    begun, lock = folder / "begun", folder / LOCK
    with begun.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun.rename(lock)  # nobody sees it before it is locked
        yield


def remove_leftovers() -> None:
    """Remove the folders that killed processes like this one left, with the passwords in them.

    Ours and dead: of this user, with a lock in them that nobody holds.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                with (folder / LOCK).open() as held:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)


def reading(text: str) -> int:
    """Return a descriptor that reads a text, which is in no file that anybody else could open."""
    with tempfile.TemporaryFile() as held:
        held.write(text.encode())
        held.flush()
        descriptor = os.dup(held.fileno())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def read_line() -> bytes:
    """Return the first line of standard input, without taking more than that; empty if there is none."""
    with open(0, "rb", buffering=0, closefd=False) as told:
        return told.readline()


def end_with_owner(program: "subprocess.Popen[bytes]") -> None:
    """Wait until nobody holds the other end of the pipe, then end the program."""
    while os.read(0, 1024):
        pass
    end(program)


def end(program: "subprocess.Popen[bytes]") -> None:
    """End a program and what it has started: politely, then by force."""
    _send(program, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        program.wait(POLITE_SECONDS)
    _send(program, signal.SIGKILL)


def _send(program: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, number)


if __name__ == "__main__":
    sys.exit(main())
