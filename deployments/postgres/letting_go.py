"""Letting go of a server that does not answer: a person's request to stop is obeyed, whatever the server does.

A process that hangs keeps its connection: the kernel still acknowledges, so no timeout of the network strikes. A
session that only looks can be cut from our side at any moment.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from deployments.errors import DeploymentError
from deployments.postgres.connect import Session
from deployments.postgres.line import Line
from deployments.postgres.stop import Stop

LOOK_SECONDS = 0.25
POLITE_SECONDS = 2.0  # for the server to take a cancel, and as long again to end the statement


@contextmanager
def letting_go(opened: Session, stop: Stop) -> Iterator[None]:
    """Cut this session as soon as nothing new may be started, within seconds; first the server is asked to cancel.

    Raises then what `stop` raised, whatever became of the driver's error: by now it may be allowed again, as after a
    while in which this process was halted, and a cancel of ours says nothing of the server. For sessions that only
    look: nothing of them is in doubt. A machine that has no thread to give cuts nothing, and looks all the same.
    """
    over = threading.Event()
    cut: list[DeploymentError] = []
    with Line(opened) as held:
        watching = threading.Thread(target=_watch, args=(opened, held, stop, over, cut), name="letting-go", daemon=True)
        with suppress(RuntimeError):  # no thread is to be had
            watching.start()
        try:
            yield
        finally:
            over.set()
            if watching.is_alive():
                watching.join()
            if cut:
                raise cut[0]


def _watch(opened: Session, held: Line, stop: Stop, over: threading.Event, cut: list[DeploymentError]) -> None:
    while not over.wait(LOOK_SECONDS):
        try:
            stop.require_may_start()
        except DeploymentError as refusal:
            cut.append(refusal)
            _end(opened, held, over)
            return


def _end(opened: Session, held: Line, over: threading.Event) -> None:
    with suppress(psycopg.Error):
        opened.cancel_safe(timeout=POLITE_SECONDS)
    if not over.wait(POLITE_SECONDS):
        held.hang_up()
