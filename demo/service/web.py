"""The application over HTTP: purchases, balances, health."""

import json
import re
import threading
import time
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg

from demo.service.latency import Latency
from demo.service.store import NotThere, Store, Unavailable

HEALTH, PURCHASES = "/api/health", "/api/purchases"
BALANCE = re.compile(r"/api/balance/(\d{1,9})")
AMOUNT = re.compile(r"\d{1,8}(\.\d{1,2})?")
MOST_BYTES = 4096
LARGEST = 2**31
Answer = tuple[HTTPStatus, dict[str, Any]]


class Refused(Exception):
    """A request that makes no sense; the text says why."""


STATUSES = {
    Refused: HTTPStatus.BAD_REQUEST,
    NotThere: HTTPStatus.NOT_FOUND,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Service(ThreadingHTTPServer):
    """Listens on loopback and answers every connection in a thread of its own."""

    request_queue_size = 64

    def __init__(self, port: int, *, store: Store) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store
        self.latency = Latency()
        self.is_ending = False
        self._answering = 0
        self._changed = threading.Condition()

    def begin(self) -> None:
        """Count a request that is being answered."""
        with self._changed:
            self._answering += 1

    def end(self) -> None:
        """Count a request that was answered."""
        with self._changed:
            self._answering -= 1
            self._changed.notify_all()

    def drain(self, *, seconds: float) -> None:
        """Return when no request is being answered any more, after so many seconds at the latest."""
        self.is_ending = True
        with self._changed:
            self._changed.wait_for(lambda: self._answering == 0, timeout=seconds)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    server: Service
    protocol_version = "HTTP/1.1"
    server_version = "Loyalty"
    sys_version = ""
    wbufsize = -1  # the head and the body of an answer in one packet
    disable_nagle_algorithm = True
    timeout = 60  # seconds; a connection nobody uses ends

    def do_GET(self) -> None:
        """Answer one GET."""
        self._handle()

    def do_POST(self) -> None:
        """Answer one POST."""
        self._handle()

    def log_message(self, *_: object) -> None:
        """Say nothing: there are many requests a second."""

    def _handle(self) -> None:
        began = time.monotonic()
        self.server.begin()
        try:
            status, content = self._answer()
            self._send(status, content)
            if self.path != HEALTH:
                is_failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
                self.server.latency.add(seconds=time.monotonic() - began, is_failed=is_failed)
        except ConnectionError:
            self.close_connection = True  # nobody waits for the answer
        finally:
            self.server.end()

    def _answer(self) -> Answer:
        try:
            return self._done()
        except (Refused, NotThere, Unavailable) as no:
            return STATUSES[type(no)], {"error": str(no)}
        except psycopg.Error as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": error.diag.message_primary or "no connection"}

    def _done(self) -> Answer:
        """Do what is asked for. Raises Refused, NotThere, Unavailable and psycopg.Error."""
        match self.command, self.path:
            case "GET", path if path == HEALTH:
                return self._health()
            case "POST", path if path == PURCHASES:
                return self._purchase()
            case "GET", path if found := BALANCE.fullmatch(path):
                user = int(found[1])
                return HTTPStatus.OK, {"user": user, "points": self.server.store.balance(user)}
        self.close_connection = True  # a body, if there is one, is not read
        raise NotThere("nothing is here")

    def _health(self) -> Answer:
        checks = self.server.store.health()
        is_well = set(checks.values()) == {"ok"}
        return HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, {
            "status": "ok" if is_well else "failing",
            "version": self.server.store.version,
            "checks": checks,
            "latency": self.server.latency.summary(),
        }

    def _purchase(self) -> Answer:
        match self._body():
            case {"user": int(user), "business": int(business), "amount": str(text)} if AMOUNT.fullmatch(text):
                amount = Decimal(text)
                if amount > 0 and max(user, business) < LARGEST:
                    points = self.server.store.purchase(user=user, business=business, amount=amount)
                    return HTTPStatus.CREATED, {"points": points}
        raise Refused('a purchase is {"user": 1, "business": 1, "amount": "12.50"}')

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True  # what follows is not read
            raise Refused(f"a body has a Content-Length of at most {MOST_BYTES}")
        try:
            return json.loads(self.rfile.read(int(length)))
        except ValueError:
            raise Refused("the body is not JSON") from None

    def _send(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.is_ending:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
