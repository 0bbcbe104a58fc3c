"""What is told of a program whose keeper is gone: nobody knows how it ended, and it is not awaited for ever."""

import os
import signal
import socket

from tests import forked


def test_a_program_whose_keeper_was_killed_counts_as_killed(monkeypatch):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(forked, "nursery", lambda: ours)
    with ours, theirs:
        send = socket.send_fds

        def serve(line: socket.socket, *request: object) -> None:
            send(line, *request)
            _, (output, tells), _, _ = socket.recv_fds(theirs, forked.REQUEST_BYTES, 2)
            os.write(tells, b"4711\n")
            os.close(output)
            os.close(tells)

        monkeypatch.setattr(socket, "send_fds", serve)
        program = forked.Program("manage.py", environment={})

        assert (program.pid, program.wait(timeout=10), program.poll()) == (4711, -signal.SIGKILL, -signal.SIGKILL)
