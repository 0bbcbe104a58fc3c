"""A TCP proxy before a server: it forwards bytes, and a test may change them or cut the connection anywhere."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

UP, DOWN = "to the server", "to the client"
CHUNK_BYTES = 65536


@dataclass
class Link:
    """One forwarded connection."""

    client: socket.socket
    server: socket.socket
    held: list[bytes] = field(default_factory=list)  # what the client sent and the server did not get yet

    def cut(self, *, server_too: bool = True) -> None:
        """Take the connection away from the client; the server notices only if told."""
        close(self.client)
        if server_too:
            close(self.server)


Rule = Callable[[Link, str, bytes], bytes]
"""Given a link, a direction and what arrived: what is passed on."""


def forward(_link: Link, _direction: str, data: bytes) -> bytes:
    """Change nothing."""
    return data


class Proxy:
    """Listens on a port of 127.0.0.1 as long as its block lasts. `rule` may be replaced at any time."""

    def __init__(self, url: str, rule: Rule = forward) -> None:
        where = conninfo_to_dict(url)
        self.rule = rule
        self._server = (str(where["host"]), int(where["port"]))
        self._links: list[Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = make_conninfo(url, host="127.0.0.1", port=self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        close(self._listener)
        for link in self._links:
            link.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:  # it is down: so is what stands before it, for this one
                    close(client)
                    continue
                link = Link(client, server)
                for each in (link.client, link.server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._links.append(link)
                for direction in (UP, DOWN):
                    threading.Thread(target=self._pump, args=(link, direction), daemon=True).start()

    def _pump(self, link: Link, direction: str) -> None:
        source, drain = (link.client, link.server) if direction is UP else (link.server, link.client)
        with suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                if passed := self.rule(link, direction, data):
                    drain.sendall(passed)
            if direction is DOWN or not link.held:
                close(drain)


def close(one: socket.socket) -> None:
    """Close for both directions, also under a thread that reads."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
