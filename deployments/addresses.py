"""Where a health check leads: its URL, what the name in it resolves to, and whether we may go there."""

import queue
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from deployments.errors import DeploymentError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = {"http": 80, "https": 443}
LONGEST_URL = 500
LONGEST_NAME = 253
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")

NEVER = tuple(
    map(
        ip_network,
        (
            # Link-local, where clouds serve credentials to whoever asks, and the places where they do so besides.
            *("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128", "fd00:42::42/128"),
            *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),
            # Tunnels and a translation of which nobody can say here where they end: 6to4, Teredo, local NAT64.
            *("2002::/16", "2001::/32", "64:ff9b:1::/48"),
        ),
    )
)
"""Where no health check goes, whatever the operator allows."""
NEVER_ASKED = "It leads to {}, and metadata, link-local and tunnel addresses are never asked."

GLOBAL_UNICAST = ip_network("2000::/3")  # all that is given out of IPv6; outside of it Python calls too much global
NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))
CARRIERS = tuple(map(ip_network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv6 addresses whose last 32 bits are an IPv4 address."""


class HealthCheckUnusable(DeploymentError):
    """What was given for a health check cannot be used. `problem` is the bare reason."""

    code = "health-check-unusable"

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{problem} No application was asked, and no target was contacted. Correct the health check.")


class NoAnswer(Exception):
    """Why an application was not asked, or gave no answer: one sentence. It becomes what a reading says."""


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of a URL. `host` is as written, in lower case; `target` is what stands in the request."""

    is_tls: bool
    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str) -> "Place":
        """Return where a URL leads. Raises HealthCheckUnusable, which never repeats the URL: it may hold a password."""
        if len(url) > LONGEST_URL:
            raise HealthCheckUnusable(problem=f"The URL is longer than {LONGEST_URL} characters.")
        if not (url.isascii() and url.isprintable()) or set(url) & set(' \\"<>'):
            raise HealthCheckUnusable(problem="The URL has characters that stand in a URL only in percent form.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise HealthCheckUnusable(problem="The URL cannot be read: its host or port is none.") from None
        if parts.scheme not in PORTS:
            raise HealthCheckUnusable(problem="The URL must begin with http:// or https://.")
        if "@" in parts.netloc:
            raise HealthCheckUnusable(problem="The URL holds a name or a password. Health checks send none.")
        if not _is_host(host) or port == 0:
            raise HealthCheckUnusable(problem="The URL names no host, or one that cannot exist, or the port 0.")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(is_tls=parts.scheme == "https", host=host, port=port or PORTS[parts.scheme], target=target)

    @property
    def host_header(self) -> str:
        """Return host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS["https" if self.is_tls else "http"] else f"{host}:{self.port}"


def resolve(place: Place, *, limit: float) -> list[Address]:
    """Return every address of the host, best first, after asking once and for at most `limit` seconds.

    Whatever is written in odd ways (127.1, 0x7f000001) comes out as what it means. Raises NoAnswer.
    """
    answers: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(_plain(ip_address(one[4][0])) for one in found)))
        except (OSError, UnicodeError) as failed:
            answers.put(failed)

    # The system's resolver cannot be interrupted. It ends by itself, and the process does not wait for it.
    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(limit, 0))
    except queue.Empty:
        raise NoAnswer(f"The name {place.host} did not resolve in time.") from None
    if isinstance(answer, Exception):
        raise NoAnswer(f"The name {place.host} does not resolve.") from answer
    return answer


def require_possible(place: Place) -> None:
    """Raise HealthCheckUnusable if an address is written where no health check goes. Names are judged when asked."""
    try:
        address = _plain(ip_address(place.host))
    except ValueError:
        return
    if _is_never_asked(address):
        raise HealthCheckUnusable(problem=NEVER_ASKED.format(address))


def require_permitted(addresses: Sequence[Address], networks: Sequence[Network]) -> None:
    """Raise NoAnswer unless every address may be asked: a name with one bad address is not asked at all."""
    for address in addresses:
        if _is_never_asked(address):
            raise NoAnswer(NEVER_ASKED.format(address))
        if not is_public(address) and not any(address in network for network in networks):
            raise NoAnswer(f"It leads to {address}, which is not public and in no network of HEALTH_NETWORKS.")


def is_public(address: Address) -> bool:
    """Return whether anybody can reach this address. `ipaddress` alone says so of NAT64, 6to4 and multicast too."""
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in NOT_PUBLIC)


def _is_never_asked(address: Address) -> bool:
    return any(one in network for network in NEVER for one in (address, *_carried(address)))


def _is_host(host: str) -> bool:
    if ":" not in host:
        return len(host) <= LONGEST_NAME and NAME.fullmatch(host) is not None
    try:
        return IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one only writes differently, else the address itself."""
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _carried(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 address that the network would bring this IPv6 address to."""
    if any(address in network for network in CARRIERS):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
