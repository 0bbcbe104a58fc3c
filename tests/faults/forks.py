"""A server that has imported the product and forks its programs: run as a module. Importing is most of a start.

Who connects sends words and perhaps three streams. The words are a job's number and the options of an armed executor,
or the arguments of `celery` or of another command. The answer is the number of the process and then, when that has
ended, its status.
"""

import gc
import importlib
import os
import selectors
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from celery.bin.celery import main as celery
from django.core.management import execute_from_command_line

from tests.faults import armed  # which sets Django up, and imports all that an executor needs
from tests.faults.forked import COMM, KILLED
from tests.forked import MODULES


def serve(where: str) -> None:
    """Fork whenever asked, and tell how it ended, until killed."""
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        Path(where).unlink(missing_ok=True)
        listener.bind(where)
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    asked, _ = listener.accept()
                    pid = fork(asked)
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (asked, pid))
                else:
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
                    tell(*key.data)


def fork(asked: socket.socket) -> int:
    """Start what is asked for and return its process number."""
    line, streams, *_ = socket.recv_fds(asked, 4096, 3)
    pid = os.fork()
    if not pid:
        program(line.decode().split(), streams)
    for stream in streams:
        os.close(stream)
    with suppress(OSError):
        asked.sendall(f"{pid}\n".encode())
    return pid


def tell(asked: socket.socket, pid: int) -> None:
    """Tell how a process ended, to whoever still wants to know."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError), asked:
        asked.sendall(f"{code if code >= 0 else KILLED - code}\n".encode())


def program(words: list[str], streams: list[int]) -> None:
    """Be what the words say, and end with it: `celery`, a command, or an executor, armed if there are options too."""
    status = 1
    try:
        os.setsid()  # as the product launches an executor, and an init system what it keeps
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 4096)
        Path("/proc/self/comm").write_text(COMM.format(job=words[0]) if words[0].isdigit() else words[0])
        if words[0] == "celery":
            sys.argv = words
            celery()
        elif not words[0].isdigit():
            execute_from_command_line(["manage.py", *words])
        elif words[1:]:
            armed.execute(words)
        else:
            execute_from_command_line(["manage.py", "execute_job", *words])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 # as Python itself does at its end
        traceback.print_exc()
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    serve(sys.argv[1])
