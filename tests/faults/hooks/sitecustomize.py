"""Python imports this file when it starts, in the processes of a campaign only. The product knows nothing of it.

It does two things. An executor that was launched is had from the fork server (`tests/faults/forks.py`), which has
imported the product already, unless its job is to start cold. And it takes one protection out of the ledger, if the
campaign asks for that.
"""

import os
import socket
import sys
from contextlib import suppress
from importlib.machinery import PathFinder

WITHOUT = os.environ.get("LOCKTENDER_FAULTS_WITHOUT", "")
FORKS = os.environ.get("LOCKTENDER_FAULTS_FORKS", "")


def without_fence(ledger):
    """Let everybody write, whatever fence the target has seen."""
    ledger.raise_fence = lambda *_arguments: None
    ledger.require_fence_not_ahead = lambda *_arguments: None


def without_history(ledger):
    """Commit without the row that says so."""
    ledger.write_entry = lambda *_arguments: None


REMOVALS = {"fence": without_fence, "history": without_history}


class Saboteur:
    """Changes the ledger when it is imported, before anybody takes a function out of it."""

    def find_spec(self, name, path, _target=None):
        """Return the ordinary spec, with the removal after the module's own code."""
        if name != "deployments.postgres.ledger":
            return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            REMOVALS[WITHOUT](module)

        spec.loader.exec_module = exec_module
        return spec


def forked(job):
    """Have the job executed by a fork, with the streams of this process, and return the status it ended with."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(FORKS)
        socket.send_fds(asked, [job.encode() + b"\n"], [0, 1, 2])
        *_, status = asked.makefile()
    return int(status)


if WITHOUT in REMOVALS:
    sys.meta_path.insert(0, Saboteur())
if FORKS and sys.orig_argv[-2:-1] == ["execute_job"] and not os.access(f"{FORKS}.cold/{sys.orig_argv[-1]}", os.F_OK):
    with suppress(OSError):  # if it is not there, start as everybody does
        os._exit(forked(sys.orig_argv[-1]))
