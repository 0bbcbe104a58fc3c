"""`python -m demo.load URL RATE`: people who buy and ask for their balance, so many requests a second, until SIGTERM.

The load is open: a request leaves at its time, whether or not the ones before it were answered. What finds nobody free
to send it is left out, so a service that hangs is not buried under what has piled up.
"""

import argparse
import json
import random
import signal
import threading
import time
from collections import Counter
from http import HTTPStatus
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from demo.data import BUSINESSES, USERS

MOST_IN_FLIGHT = 24
LATEST_SECONDS = 0.25  # what could not be sent by then is left out
ANSWER_SECONDS = 8
HEADERS = {"Content-Type": "application/json"}
ENDING = {signal.SIGTERM, signal.SIGINT}


def wish(number: int) -> tuple[str, str, str | None]:
    """Return method, path and body of the request with that number: one in five asks for a balance, the others buy."""
    chosen = random.Random(number)  # noqa: S311 # the same people want the same in every demo
    user = chosen.randint(1, USERS)
    if number % 5 == 0:
        return "GET", f"/api/balance/{user}", None
    amount = f"{chosen.randint(100, 20_000) / 100:.2f}"
    return (
        "POST",
        "/api/purchases",
        json.dumps({"user": user, "business": chosen.randint(1, BUSINESSES), "amount": amount}),
    )


class Load:
    """Requests at even distances. `counts` says how many were sent, how many of them failed, and what was left out."""

    def __init__(self, url: str, *, rate: float) -> None:
        place = urlsplit(url)
        self.counts = Counter(sent=0, failed=0, left_out=0)
        self._pool = HTTPConnectionPool(
            place.hostname or "", place.port, maxsize=MOST_IN_FLIGHT, timeout=ANSWER_SECONDS, retries=False
        )
        self._apart = 1 / rate
        self._began = time.monotonic()
        self._next = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send_on, daemon=True) for _ in range(MOST_IN_FLIGHT)]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Send nothing more, and return when what was sent is answered or overdue."""
        self._ended.set()
        until = time.monotonic() + ANSWER_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))

    def _send_on(self) -> None:
        """Take the next request that nobody has, wait for its time, send it, and so on."""
        while True:
            number = self._take()
            if self._ended.wait(max(self._began + number * self._apart - time.monotonic(), 0)):
                return
            is_failed = self._send(*wish(number))
            with self._lock:
                self.counts.update(sent=1, failed=int(is_failed))

    def _take(self) -> int:
        with self._lock:
            late = int((time.monotonic() - LATEST_SECONDS - self._began) / self._apart) + 1 - self._next
            if late > 0:
                self.counts.update(left_out=late)
                self._next += late
            self._next += 1
            return self._next - 1

    def _send(self, method: str, path: str, body: str | None) -> bool:
        """Return whether the request failed: not answered, or with a status of 500 and more."""
        try:
            status = self._pool.request(method, path, body=body, headers=HEADERS).status
        except HTTPError:
            return True
        return status >= HTTPStatus.INTERNAL_SERVER_ERROR


def main() -> None:
    """Send until SIGTERM, then print one line: what came of it."""
    parser = argparse.ArgumentParser(prog="python -m demo.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("rate", type=float, help="requests a second")
    wanted = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # before any thread is there to receive one
    load = Load(wanted.url, rate=wanted.rate)
    load.start()
    signal.sigwait(ENDING)
    load.end()
    print("{sent} requests, {failed} failed, {left_out} left out".format(**load.counts))


if __name__ == "__main__":
    main()
