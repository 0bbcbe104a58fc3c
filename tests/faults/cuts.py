"""What a proxy does to a COMMIT that passes: it never arrives, or arrives late, or its answer is cut off."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.postgres.proxy import UP, Link

COMMIT = b"Q\0\0\0\x0bCOMMIT\0"


@dataclass
class Once:
    """Does something at one of the COMMITs that pass, and lets everything else through."""

    act: Callable[[Link, bytes], bytes]
    before: int = 0  # so many COMMITs pass unhurt
    done: bool = False

    def __call__(self, link: Link, direction: str, data: bytes) -> bytes:
        """Look for it, once."""
        if self.done or direction is not UP or COMMIT not in data:
            return data
        if self.before:
            self.before -= 1
            return data
        self.done = True
        return self.act(link, data)


def never_arrives(link: Link, data: bytes, dice: random.Random) -> bytes:
    """Cut before the server has the whole of it."""
    with suppress(OSError):
        link.server.sendall(data[: dice.randrange(len(data))])
    link.cut(server_too=dice.random() < 0.5)
    return b""


def is_not_answered(link: Link, data: bytes, _dice: random.Random) -> bytes:
    """Pass it on, and cut the client off at once: whether the answer was quicker is chance."""
    link.server.sendall(data)
    link.cut(server_too=False)
    return b""


def is_answered_late(link: Link, data: bytes, dice: random.Random) -> bytes:
    """Cut the client off, and pass it on a little later, when the client may already look what became of it."""
    link.held.append(data)
    link.cut(server_too=False)
    threading.Timer(dice.uniform(0, 0.05), _deliver, [link]).start()
    return b""


def is_reset(link: Link, data: bytes, _dice: random.Random) -> bytes:
    """Pass it on and cut both ends."""
    link.server.sendall(data)
    link.cut()
    return b""


CUTS = (never_arrives, is_not_answered, is_answered_late, is_reset)


class CutAnswer:
    """Lets the COMMIT through and cuts its answer after some bytes."""

    def __init__(self, dice: random.Random, *, before: int) -> None:
        self.done = self._is_asked = False
        self._left, self._before = dice.randrange(20), before

    def __call__(self, link: Link, direction: str, data: bytes) -> bytes:
        if direction is UP:
            if COMMIT in data:
                self._is_asked = not self._before
                self._before -= not self._is_asked
        elif self._is_asked and not self.done:
            self.done = True
            with suppress(OSError):
                link.client.sendall(data[: self._left])
            link.cut(server_too=self._left % 2 == 0)
            return b""
        return data


def _deliver(link: Link) -> None:
    with suppress(OSError):
        link.server.sendall(link.held.pop())
        link.server.shutdown(1)
