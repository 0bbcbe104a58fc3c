"""Running PostgreSQL's own programs: without a secret in sight, bounded, and never longer than we live."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from deployments.errors import DeploymentError
from deployments.postgres import leash
from deployments.postgres.connect import Session
from deployments.postgres.stop import Stop

LOOK_SECONDS = 0.2
MOST_LINES = 50
END_SECONDS = leash.POLITE_SECONDS + 10.0
# All that a program gets of our environment: where things are, never a secret or a setting of libpq.
INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
# Options of a connection that are given anew, or that only choose among several servers: the session has chosen.
CHOSEN = frozenset(
    {"host", "hostaddr", "port", "user", "dbname", "application_name", "fallback_application_name", "client_encoding",
     "passfile", "password", "service", "servicefile", "target_session_attrs", "load_balance_hosts"}
)  # fmt: skip


class ConnectionNotPortable(DeploymentError):
    """A connection holds a value that the files libpq reads cannot carry."""

    code = "connection-not-portable"

    def __init__(self, *, target: str, option: str) -> None:
        super().__init__(
            f"The {option} in the connection of {target} has a line break, or white space at its end, which the file "
            "for pg_dump cannot carry. Nothing was dumped or restored, and the target was not changed. "
            "Choose another value."
        )


def connection_files(opened: Session, *, target: str, name: str, settings: str = "") -> dict[str, str]:
    """Return what lets a program of libpq connect as this session did, to the same server, under the same name.

    `settings` are given to its sessions besides those of the connection, such as "-c work_mem=64MB". The keys are
    libpq's variables, the values the content of the files they lead to. Raises ConnectionNotPortable.
    """
    info = opened.info
    options = {key: value for key, value in info.get_parameters().items() if key not in CHOSEN}
    if options.get("sslcertmode") == "allow":
        del options["sslcertmode"]  # what libpq does by itself, and programs before 16 do not know
    options |= {"host": info.host, "hostaddr": info.hostaddr, "port": str(info.port), "user": info.user}
    options |= {"dbname": info.dbname, "application_name": name}
    if settings:
        options["options"] = f"{options.get('options', '')} {settings}".strip()
    for option, value in (*options.items(), ("password", info.password)):
        if "\n" in value or "\r" in value or (option != "password" and value != value.rstrip()):
            raise ConnectionNotPortable(target=target, option=option)
    lines = [f"{option}={value}" for option, value in options.items() if value]
    password = info.password.replace("\\", "\\\\").replace(":", "\\:")
    return {
        "PGSERVICEFILE": "\n".join(["[target]", *lines, ""]),
        "PGPASSFILE": f"*:*:*:*:{password}\n" if password else "",
    }


class Program:
    """A program under way. `said` are the last lines it wrote to standard error.

    `answer` is what it wrote to standard output, where that is listened to; None if that was too much.
    """

    def __init__(self, process: "subprocess.Popen[str]", tell: Callable[[str], None], *, most_answer: int = 0) -> None:
        """Begin to read what it writes."""
        self.said: deque[str] = deque(maxlen=MOST_LINES)
        self.answer: str | None = ""
        self._process = process
        self._tell = tell
        self._readers = [threading.Thread(target=self._read, daemon=True)]
        if most_answer:
            self._readers.append(threading.Thread(target=self._listen, args=[most_answer], daemon=True))
        for reader in self._readers:
            reader.start()

    def wait(self, stop: Stop, *, meanwhile: Callable[[], None] = lambda: None) -> int:
        """Return its exit status. Raises what `stop` raises, a fifth of a second after it was asked at the latest."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                status = self._process.wait(LOOK_SECONDS)
                self._have_read()
                return status
            stop.require_may_start()
            meanwhile()

    def end(self) -> None:
        """End it, and everything it has started, if it still runs."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._have_read()

    def _have_read(self) -> None:
        for reader in self._readers:
            reader.join(END_SECONDS)

    def _listen(self, most: int) -> None:
        if self._process.stdout is None:
            return
        with self._process.stdout as written:
            heard = written.read(most + 1)
            self.answer = heard if len(heard.encode()) <= most else None
            while written.read(most):  # it goes nowhere, and holds nobody up
                pass

    def _read(self) -> None:
        if self._process.stderr is None:
            return
        with self._process.stderr as written:  # closed by nobody else: that would wait for whoever still writes
            for line in written:
                self.said.append(line.rstrip("\n"))
                self._tell(line.rstrip("\n"))


@contextmanager
def running(
    program: Path,
    arguments: Sequence[str | bytes],
    *,
    files: Mapping[str, str],
    tell: Callable[[str], None] = lambda _: None,
    given: str | None = None,
    environment: Mapping[str, str] | None = None,
    most_answer: int = 0,
) -> Iterator[Program]:
    """Run a program for the length of the block; what of it is left then is ended.

    `files` are told to it by variables, and exist for as long as it runs. `tell` is called with every line it writes to
    standard error, in a thread of its own. It reads what is `given` from its standard input; its `environment` is added
    to what every program gets. Up to `most_answer` bytes of its standard output are kept.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", leash.__file__, program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if most_answer else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=inherited | {"LC_ALL": "C"} | dict(environment or {}) | ({"PGSERVICE": "target"} if files else {}),
        umask=0o077,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    )
    started = Program(process, tell, most_answer=most_answer)
    try:
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it ended at once; its status says so
                process.stdin.write(json.dumps({**files, **({} if given is None else {"": given})}) + "\n")
                process.stdin.flush()
        yield started
    finally:
        started.end()
