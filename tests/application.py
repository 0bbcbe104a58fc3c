"""An application in the hands of a test: a real socket on loopback that answers as it is told, or misbehaves."""

import itertools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Behaviour = Callable[[socket.socket, "Application"], None]


class Application:
    """Answers each connection in a thread of its own, as `behave` says at that moment."""

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.requests: list[str] = []  # the heads, as they came
        self.connections = 0
        self.closing = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, path: str = "/health", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for opened in self._open:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                opened, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(opened)
            self._threads.append(threading.Thread(target=self._serve, args=[opened]))
            self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        handle = raw.dup()  # lets `close` end a handshake
        self._open.append(handle)
        with handle, raw, suppress(OSError):
            opened = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            with opened:
                self.behave(opened, self)


def read_request(opened: socket.socket, application: Application) -> None:
    """Read the head of a request and keep it."""
    head = b""
    while b"\r\n\r\n" not in head and (part := opened.recv(4096)):
        head += part
    application.requests.append(head.decode("latin-1"))


def answering(body: bytes | str = "", *, status: int = 200, headers: str = "") -> Behaviour:
    """Answer as a decent application does."""
    content = body.encode() if isinstance(body, str) else body

    def behave(opened: socket.socket, application: Application) -> None:
        read_request(opened, application)
        head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        opened.sendall(head.encode() + content)

    return behave


def answering_json(value: Any, **rest: Any) -> Behaviour:
    return answering(json.dumps(value), **rest)


def sending(*parts: bytes, every: float = 0) -> Behaviour:
    """Send these bytes as they are, one after the other, and close."""

    def behave(opened: socket.socket, application: Application) -> None:
        read_request(opened, application)
        for part in parts:
            opened.sendall(part)
            application.closing.wait(every)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave once in each of these ways, then in the last one."""
    following = itertools.chain(behaviours, itertools.repeat(behaviours[-1]))

    def behave(opened: socket.socket, application: Application) -> None:
        next(following)(opened, application)

    return behave


def silent(_opened: socket.socket, application: Application) -> None:
    """Take the connection and say nothing, neither HTTP nor TLS."""
    application.closing.wait()


@contextmanager
def running(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Application]:
    """Run an application for the length of the block."""
    application = Application(behave, tls=tls)
    try:
        yield application
    finally:
        application.close()


def resolves(monkeypatch: Any, *answers: list[str]) -> list[str]:
    """Have names resolve to these addresses, one answer after the other, then to an evil one; return what was asked."""
    asked: list[str] = []
    following = itertools.chain(answers, itertools.repeat(["169.254.169.254"]))

    def getaddrinfo(host: str, port: int, **_rest: object) -> list[tuple[object, ...]]:
        asked.append(host)
        found = next(following)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked
