"""Asking an application over HTTP whether it is well: at the address that was judged, and within bounds."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPException
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from checks.health import MOST_BYTES, Answer, Expectation, judge, latency_of, version_of
from deployments.addresses import Address, HealthCheckUnusable, NoAnswer, Place, require_permitted, resolve

HEADERS = {"User-Agent": "locktender", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one probe found. Of the body it holds the version, the latency, and in `why` the value that was wrong."""

    is_healthy: bool
    why: str  # one sentence; "" if healthy
    status: int | None  # None without an answer
    milliseconds: int  # from resolving the name to the last byte
    version: str  # of the application, "" if the answer does not carry it
    address: str  # that was asked, "" if none was
    latency_ms: float | None  # that the application reports of itself, None if the answer does not carry it

    def as_evidence(self) -> dict[str, Any]:
        """Return the reading as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of telling somebody something. `why` is one sentence about what went wrong, "" if it was taken."""

    why: str
    status: int | None  # None without an answer
    milliseconds: int
    address: str  # that was told, "" if none was

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values. Nothing of what the other side said is in it but its status."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: a question, unless it has a body."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


ASKING = Request()


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks applications. `networks` are the internal ones it may reach; `interval` lies between two probes."""

    networks: Sequence[IPv4Network | IPv6Network]
    interval: timedelta
    connect_limit: timedelta = timedelta(seconds=3)  # for each address of the name
    whole_limit: timedelta = timedelta(seconds=10)

    def ask(self, expectation: Expectation) -> Reading:
        """Return what the application says of itself now. Whatever the other side does, it is a reading."""
        began = time.monotonic()
        until = began + self.whole_limit.total_seconds()
        address, answer = "", None
        try:
            place = Place.of(expectation.url)
            addresses = resolve(place, limit=until - began)
            require_permitted(addresses, self.networks)
            opened, address = self._connect(addresses, place.port, until)
            with opened:
                answer = self._exchange(opened, place, until)
            why = judge(answer, expectation)
        except HealthCheckUnusable as unusable:
            why = unusable.problem
        except NoAnswer as none:
            why = str(none)
        return Reading(
            is_healthy=not why,
            why=why,
            status=answer.status if answer else None,
            milliseconds=round((time.monotonic() - began) * 1000),
            version=version_of(answer, expectation) if answer else "",
            address=address,
            latency_ms=latency_of(answer, expectation) if answer else None,
        )

    def tell(self, url: str, body: bytes, headers: Mapping[str, str]) -> Told:
        """Return what became of posting something, once, over TLS alone. Whatever the other side does, it is told."""
        began = time.monotonic()
        until = began + self.whole_limit.total_seconds()
        address, status, why = "", None, ""
        try:
            place = Place.of(url)
            _require_tls(place)
            addresses = resolve(place, limit=until - began)
            require_permitted(addresses, self.networks)
            opened, address = self._connect(addresses, place.port, until)
            with opened:
                status = self._exchange(opened, place, until, Request("POST", headers, body)).status
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                why = f"It answered with status {status}."
        except HealthCheckUnusable as unusable:
            why = unusable.problem
        except NoAnswer as none:
            why = str(none)
        return Told(why=why, status=status, milliseconds=round((time.monotonic() - began) * 1000), address=address)

    def _connect(self, addresses: Sequence[Address], port: int, until: float) -> tuple[socket.socket, str]:
        """Return a connection to the first address that takes one, and that address. Raises NoAnswer."""
        why = "Its name has no address."
        for address in addresses:
            limit = min(self.connect_limit.total_seconds(), until - time.monotonic())
            if limit <= 0:
                break
            try:
                return _open(address, port, limit), str(address)
            except TimeoutError:
                why = f"No connection to {address}, port {port}, in {limit:.1f} s."
            except OSError as refused:
                why = f"No connection to {address}, port {port}: {refused.strerror or type(refused).__name__}."
        raise NoAnswer(why)

    def _exchange(self, opened: socket.socket, place: Place, until: float, request: Request = ASKING) -> Answer:
        """Ask once and return the answer, with no more of its body than is looked at. Raises NoAnswer."""
        failure: Exception | None = None
        try:
            with _cut_off(opened, at=until):
                answer = _send(opened, place, request, limit=until - time.monotonic())
        except (OSError, HTTPException, HTTPError) as failed:
            failure = failed
        if time.monotonic() >= until:  # the cut looks like a broken link, or like an ordinary end of the body
            raise NoAnswer(f"It did not answer completely within {self.whole_limit.total_seconds():g} s.") from failure
        if failure is not None:
            raise NoAnswer(_told(failure)) from failure
        return answer


def _require_tls(place: Place) -> None:
    if not place.is_tls:
        raise NoAnswer("It is told over https only.")


def _open(address: Address, port: int, limit: float) -> socket.socket:
    """Return a connection to an address: no name is resolved here. `limit` is in seconds. Raises OSError."""
    opened = socket.socket(socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET)
    try:
        opened.settimeout(limit)
        opened.connect((str(address), port))
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def _cut_off(opened: socket.socket, *, at: float) -> Iterator[None]:
    """Break the connection when the time has come, whatever it is doing.

    A timeout of a socket begins anew with every byte, so a server that sends one now and then would hold us for ever.
    """
    handle = opened.dup()  # TLS takes the socket over; this one stays ours

    def cut() -> None:
        with suppress(OSError):  # it may have ended by itself
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(at - time.monotonic(), 0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _send(opened: socket.socket, place: Place, request: Request, *, limit: float) -> Answer:
    """Speak HTTP over an open connection: one request, no redirect, no proxy, no cookie, no decoding.

    `limit`, in seconds, is for each wait. Raises OSError, HTTPException, HTTPError.
    """
    opened.settimeout(max(limit, 0.001))  # 0 would mean not to wait at all
    if place.is_tls:
        opened = ssl.create_default_context().wrap_socket(opened, server_hostname=place.host.rstrip("."))
    with closing(HTTPConnection(place.host, place.port, timeout=opened.gettimeout())) as connection:
        connection.sock = opened
        connection.request(
            request.method,
            place.target,
            body=request.body,
            headers=HEADERS | dict(request.headers) | {"Host": place.host_header},
            preload_content=False,
            decode_content=False,
        )
        with connection.getresponse() as response:
            body = b""
            while len(body) <= MOST_BYTES and (part := response.read(MOST_BYTES + 1 - len(body))):
                body += part
            return Answer(status=response.status, body=body[:MOST_BYTES], is_cut=len(body) > MOST_BYTES)


def _told(failure: Exception) -> str:
    """Return in one sentence why there was no answer, in no words of the other side."""
    match failure:
        case ssl.SSLCertVerificationError():
            return f"Its certificate is not accepted: {failure.verify_message.rstrip('.')}."
        case ssl.SSLError():
            return f"TLS failed: {failure.reason or 'the handshake ended'}."
        case OSError():
            return "The connection broke before the answer was whole."
    return "What it answered broke off, or is not HTTP."
