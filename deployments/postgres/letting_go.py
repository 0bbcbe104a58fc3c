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
    A machine that has no thread to give cuts nothing, and looks all the same.
    """
    over = threading.Event()
    with _own_end(opened) as held:
        watching = threading.Thread(target=_watch, args=(opened, held, stop, over), name="letting-go", daemon=True)
        with suppress(RuntimeError):  # no thread is to be had
            watching.start()
        try:
            yield
        finally:
            over.set()
            if watching.is_alive():
                watching.join()


@contextmanager
def _own_end(opened: Session) -> Iterator[socket.socket | None]:
    """Hold the session's socket under a number of our own: when the session is gone, its number may be another's."""
    try:
        held = socket.socket(fileno=os.dup(opened.pgconn.socket))
    except (psycopg.Error, OSError):  # it is gone already, or no number is free
        yield None
    else:
        with held:
            yield held


def _watch(opened: Session, held: socket.socket | None, stop: Stop, over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        try:
            stop.require_may_start()
        except DeploymentError:
            _end(opened, held, over)
            return


def _end(opened: Session, held: socket.socket | None, over: threading.Event) -> None:
    with suppress(psycopg.Error):
        opened.cancel_safe(timeout=POLITE_SECONDS)
    if not over.wait(POLITE_SECONDS) and held is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)
