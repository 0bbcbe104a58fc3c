"""Asking an application over TLS: whose certificate counts, and that nothing is sent before it does."""

import socket
import ssl
from datetime import timedelta
from ipaddress import ip_network

import pytest
import trustme

from checks.health import Expectation
from deployments.probe import Prober, Reading
from tests.application import Application, answering, resolves, running, sending, silent

LOOPBACK = [ip_network("127.0.0.0/8")]
PROBER = Prober(LOOPBACK, timedelta(seconds=10))
IMPATIENT = Prober(LOOPBACK, timedelta(seconds=10), whole_limit=timedelta(seconds=1))
LATE = "It did not answer completely within 1 s."


@pytest.fixture
def authority(tmp_path, monkeypatch) -> trustme.CA:
    """A certificate authority that this machine trusts for the length of the test."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    return authority


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return what a server needs that shows a certificate of these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def ask(application: Application, prober: Prober = PROBER, *, host: str = "shop.example") -> Reading:
    return prober.ask(Expectation(application.url(host=host, scheme="https"), text="up"))


def test_the_name_of_the_url_is_asked_for_and_checked_although_the_connection_goes_to_the_address(
    authority, monkeypatch
):
    resolves(monkeypatch, ["127.0.0.1"])
    context = certified(authority, "shop.example")
    asked_for = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)

    with running(answering("up"), tls=context) as application:
        reading = ask(application)

    assert (reading.why, reading.address) == ("", "127.0.0.1")
    assert asked_for == ["shop.example"]
    assert f"Host: shop.example:{application.port}\r\n" in application.requests[0]


def test_a_certificate_for_the_bare_address_counts_for_a_url_with_that_address(authority):
    with running(answering("up"), tls=certified(authority, "127.0.0.1")) as application:
        assert ask(application, host="127.0.0.1").is_healthy


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1", "example"])
def test_a_certificate_of_another_name_is_refused_before_anything_is_asked(authority, monkeypatch, name):
    resolves(monkeypatch, ["127.0.0.1"])
    with running(answering("up"), tls=certified(authority, name)) as application:
        reading = ask(application)

    assert "certificate is not valid for 'shop.example'" in reading.why
    assert (reading.is_healthy, application.connections, application.requests) == (False, 1, [])


def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused(authority, monkeypatch):
    resolves(monkeypatch, ["127.0.0.1"])
    with running(answering("up"), tls=certified(trustme.CA(), "shop.example")) as application:
        reading = ask(application)

    assert reading.why.startswith("Its certificate is not accepted: ")
    assert application.requests == []


def test_a_server_without_tls_is_refused():
    def without(opened: socket.socket, _application: Application) -> None:
        opened.recv(4096)
        opened.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with running(without) as application:
        reading = ask(application, host="127.0.0.1")

    assert reading.why.startswith("TLS failed: ")


def test_a_handshake_that_never_ends_is_left_when_the_time_is_over():
    with running(silent) as application:
        assert ask(application, IMPATIENT, host="127.0.0.1").why == LATE


@pytest.mark.parametrize(
    "parts", [[b"H"] * 5000, [b"HTTP/1.1 200 OK\r\n\r\nup", *[b"."] * 5000]], ids=["a status", "a body without an end"]
)
def test_a_drip_through_tls_is_left_when_the_time_is_over(authority, parts):
    with running(sending(*parts, every=0.02), tls=certified(authority, "127.0.0.1")) as application:
        assert ask(application, IMPATIENT, host="127.0.0.1").why == LATE


def test_nothing_is_told_without_tls_or_to_a_certificate_of_nobody(authority, monkeypatch):
    resolves(monkeypatch, ["127.0.0.1"], ["127.0.0.1"])
    with running(answering("up"), tls=certified(trustme.CA(), "shop.example")) as application:
        told = PROBER.tell(application.url(host="shop.example", scheme="https"), b"{}", {"Locktender-Timestamp": "1"})
        plain = PROBER.tell(application.url(host="shop.example", scheme="http"), b"{}", {})

    assert (told.status, told.why.startswith("Its certificate is not accepted")) == (None, True)
    assert (plain.status, plain.why) == (None, "It is told over https only.")
    assert application.requests == []
