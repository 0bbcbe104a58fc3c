"""Letting go of a server that does not answer: a person's request to stop is obeyed, whatever the server does.

A process that hangs keeps its connection: the kernel still acknowledges, so no timeout of the network strikes. A
session that only looks can be cut from our side at any moment.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from deployments.errors import DeploymentError
from deployments.postgres.connect import Session
from deployments.postgres.stop import Stop

LOOK_SECONDS = 0.25
POLITE_SECONDS = 2.0  # for the server to take a cancel, and as long again to end the statement


@contextmanager
def letting_go(opened: Session, stop: Stop) -> Iterator[None]:
    """Cut this session as soon as nothing new may be started, within seconds; first the server is asked to cancel.

    What waits for the server then gets the driver's error. For sessions that only look: nothing of them is in doubt.
    """
    over = threading.Event()
    watching = threading.Thread(target=_watch, args=(opened, stop, over), name="letting-go", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()  # before the session is closed: its socket's number may be used again


def _watch(opened: Session, stop: Stop, over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        try:
            stop.require_may_start()
        except DeploymentError:
            _end(opened, over)
            return


def _end(opened: Session, over: threading.Event) -> None:
    with suppress(psycopg.Error):
        opened.cancel_safe(timeout=POLITE_SECONDS)
    if not over.wait(POLITE_SECONDS):
        with suppress(OSError), socket.socket(fileno=os.dup(opened.pgconn.socket)) as held:
            held.shutdown(socket.SHUT_RDWR)
