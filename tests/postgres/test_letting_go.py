"""Cutting a session that only looks: by its own socket, never by another's, and no worse without a thread to watch."""

import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import psycopg
import pytest

from deployments.postgres import letting_go as module
from deployments.postgres.letting_go import letting_go
from deployments.postgres.stopped import CancelledOnRequest
from tests.engine.processes import eventually
from tests.postgres.places import Stopper


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "POLITE_SECONDS", 0.01)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end of a link, and the server's."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(60)
    with ours, theirs:
        yield ours, theirs


def session_on(ours: socket.socket) -> SimpleNamespace:
    """A session of a server that takes no cancel."""
    return SimpleNamespace(pgconn=SimpleNamespace(socket=ours.fileno()), cancel_safe=lambda **_: None)


def nobody_watches() -> bool:
    return all(one.name != "letting-go" for one in threading.enumerate())


def test_a_session_that_is_let_go_is_cut_for_the_server_too(pair):
    ours, theirs = pair
    stop = Stopper()

    with pytest.raises(CancelledOnRequest), letting_go(session_on(ours), stop):
        stop.asked.set()
        assert theirs.recv(1) == b""


def test_a_session_that_was_cut_was_cut_by_us_also_when_all_is_allowed_again(pair):
    ours, theirs = pair
    stop = Stopper()

    with pytest.raises(CancelledOnRequest), letting_go(session_on(ours), stop):
        stop.asked.set()
        assert theirs.recv(1) == b""
        stop.asked.clear()  # as when this process was halted for a while, and its next heartbeat was answered
        raise psycopg.errors.QueryCanceled


def test_what_took_the_number_of_a_socket_that_is_gone_is_not_cut(pair):
    ours, theirs = pair
    stop = Stopper()
    other, peer = socket.socketpair()
    with other, peer, pytest.raises(CancelledOnRequest), letting_go(session_on(ours), stop):
        os.dup2(other.fileno(), ours.fileno())
        stop.asked.set()
        assert theirs.recv(1) == b""
        eventually(nobody_watches)

        peer.sendall(b"here")
        assert other.recv(4) == b"here"


def test_a_session_whose_socket_is_gone_is_nothing_to_cut(monkeypatch):
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: failed.append(told.exc_value))
    stop = Stopper()

    class Gone:
        @property
        def socket(self) -> int:
            raise psycopg.OperationalError("the connection is lost")

    opened = SimpleNamespace(pgconn=Gone(), cancel_safe=lambda **_: None)
    with pytest.raises(CancelledOnRequest), letting_go(opened, stop):
        stop.asked.set()
        eventually(nobody_watches)

    assert failed == []


def test_no_number_is_left_open(pair):
    ours, theirs = pair
    with letting_go(session_on(ours), Stopper()):
        pass
    ours.close()

    assert theirs.recv(1) == b""


def test_a_machine_without_a_thread_to_give_looks_all_the_same(pair, monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with letting_go(session_on(pair[0]), Stopper()):
        looked = True

    assert looked
