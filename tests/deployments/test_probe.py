"""Asking an application: what a decent one answers, and what a bad one does to us, over real sockets."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network

import pytest

from checks.health import Expectation
from deployments.probe import Prober, Reading
from tests.application import Application, Behaviour, answering, answering_json, resolves, running, sending, silent

LOOPBACK = [ip_network("127.0.0.0/8")]
PROBER = Prober(LOOPBACK, timedelta(seconds=10))
IMPATIENT = Prober(LOOPBACK, timedelta(seconds=10), whole_limit=timedelta(seconds=1))
OK = b"HTTP/1.1 200 OK\r\n"
NOT_HTTP = "What it answered broke off, or is not HTTP."
BROKE = "The connection broke before the answer was whole."
LATE = "It did not answer completely within 1 s."


@pytest.fixture
def started() -> Iterator[Callable[[Behaviour], Application]]:
    """Start applications that end with the test."""
    running_here = []

    def start(behave: Behaviour) -> Application:
        context = running(behave)
        running_here.append(context)
        return context.__enter__()

    yield start
    for context in running_here:
        context.__exit__(None, None, None)


def ask(application: Application, prober: Prober = PROBER, **expected: object) -> Reading:
    return prober.ask(Expectation(application.url(), **expected))


def test_a_healthy_answer_is_a_reading_with_status_time_version_and_address(started):
    application = started(answering_json({"status": "up", "build": {"version": "2.4.1"}, "p99_ms": 214}))

    paths = {"version_path": "build.version", "latency_path": "p99_ms"}
    reading = ask(application, json_path="status", json_value="up", **paths)

    assert reading.milliseconds >= 0
    assert reading.as_evidence() == {
        "is_healthy": True,
        "why": "",
        "status": 200,
        "milliseconds": reading.milliseconds,
        "version": "2.4.1",
        "address": "127.0.0.1",
        "latency_ms": 214.0,
    }


def test_the_request_is_one_plain_get_that_carries_nothing_of_ours(started, monkeypatch):
    proxy = started(answering("up"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url(""))
    application = started(answering("up", headers="Set-Cookie: session=1\r\n"))

    for _ in range(2):
        assert PROBER.ask(Expectation(application.url("/health?deep=1"), text="up")).is_healthy

    head = "GET /health?deep=1 HTTP/1.1"
    fields = ["Accept-Encoding: identity", "Accept: */*", "Connection: close", f"Host: 127.0.0.1:{application.port}"]
    expected = [head, *fields, "User-Agent: locktender"]
    assert [sorted(request.split("\r\n")[:-2]) for request in application.requests] == [sorted(expected)] * 2
    assert proxy.connections == 0


def test_a_redirect_is_an_unhealthy_answer_and_is_not_followed(started):
    elsewhere = started(answering("up"))
    application = started(answering("", status=302, headers=f"Location: {elsewhere.url()}\r\n"))

    reading = ask(application)

    assert (reading.is_healthy, reading.status) == (False, 302)
    assert reading.why == "It redirects (302), and redirects are not followed."
    assert elsewhere.connections == 0


def test_of_many_megabytes_only_the_first_64_kib_are_read(started):
    ended = []

    def flood(opened: socket.socket, _application: Application) -> None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        opened.recv(4096)
        opened.sendall(OK + b"\r\nup")
        for _ in range(1000):
            opened.sendall(b"x" * 65536)
        ended.append("The whole flood went through")

    application = started(flood)

    assert ask(application, text="up").is_healthy
    assert ask(application, text="down").why == '"down" does not occur in the first 64 KiB of its body.'
    assert "so the JSON in it was not read" in ask(application, json_path="status").why
    application.close()
    assert ended == []


def test_a_body_of_exactly_64_kib_is_whole(started):
    application = started(answering('{"a": "' + "x" * (65536 - 9) + '"}'))

    assert ask(application, json_path="a").is_healthy


def test_a_body_in_chunks_and_one_that_ends_with_the_connection_are_read(started):
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nup\r\n3\r\n!!!\r\n0\r\n\r\n"

    assert ask(started(sending(OK + chunks)), text="up!!!").is_healthy
    assert ask(started(sending(OK + b"\r\nup")), text="up").is_healthy


def test_an_encoding_that_nobody_asked_for_is_not_decoded(started):
    application = started(answering(gzip.compress(b"up " * 1000), headers="Content-Encoding: gzip\r\n"))

    assert ask(application, text="up up up").why == '"up up up" does not occur in the body.'


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        (answering("down", status=500), "Its status is 500, not 200."),
        (sending(b"SSH-2.0-OpenSSH_9.6\r\n"), NOT_HTTP),
        (sending(OK + b"X: y\r\n" * 200 + b"\r\nup"), NOT_HTTP),
        (sending(OK + b"X: " + b"y" * 70000 + b"\r\n\r\nup"), NOT_HTTP),
        (sending(OK + b"Content-Length: 10\r\n\r\nup"), NOT_HTTP),
        (sending(OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\nup"), NOT_HTTP),
        (sending(), BROKE),
        (sending(b""), BROKE),
    ],
)
def test_a_bad_answer_is_a_reading_that_says_what_was_bad(started, behave, why):
    reading = ask(started(behave), text="up")

    assert (reading.is_healthy, reading.why, reading.address) == (False, why, "127.0.0.1")


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        sending(*[b"H", b"T", b"T", b"P"] * 5000, every=0.02),
        sending(OK, *[b"X: y\r\n"] * 5000, every=0.02),
        sending(OK + b"Content-Length: 5000\r\n\r\nup", *[b"."] * 5000, every=0.02),
        sending(OK + b"\r\nup", *[b"."] * 5000, every=0.02),  # no length: the cut looks like its end
        sending(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 5000, every=0.02),
    ],
    ids=["hangs", "drips a status", "drips headers", "drips a body", "drips without an end", "never goes on"],
)
def test_a_server_that_hangs_or_drips_is_left_when_the_time_is_over(started, behave):
    reading = ask(started(behave), IMPATIENT, text="up")

    assert (reading.is_healthy, reading.status, reading.why) == (False, None, LATE)


def test_a_closed_port_is_unhealthy_and_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    reading = PROBER.ask(Expectation(f"http://127.0.0.1:{port}/"))

    assert reading.why == f"No connection to 127.0.0.1, port {port}: Connection refused."
    assert (reading.status, reading.address) == (None, "")


def test_a_connection_that_is_never_taken_is_given_up():
    prober = Prober(LOOPBACK, timedelta(seconds=10), connect_limit=timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003
            one.connect_ex(("127.0.0.1", port))
        reading = prober.ask(Expectation(f"http://127.0.0.1:{port}/"))
        for one in waiting:
            one.close()

    assert reading.why == f"No connection to 127.0.0.1, port {port}, in 0.2 s."


def test_the_next_address_of_the_name_is_tried_when_the_first_takes_no_connection(started, monkeypatch):
    application = started(answering("up"))
    resolves(monkeypatch, ["127.0.0.99", "127.0.0.1"])

    reading = PROBER.ask(Expectation(application.url(host="shop.example")))

    assert (reading.is_healthy, reading.address) == (True, "127.0.0.1")
    assert f"Host: shop.example:{application.port}\r\n" in application.requests[0]


def test_a_name_is_resolved_once_and_the_connection_goes_where_it_led_when_it_was_judged(started, monkeypatch):
    application = started(answering("up"))
    asked = resolves(monkeypatch, ["127.0.0.1"], ["10.0.0.5"])

    reading = PROBER.ask(Expectation(application.url(host="shop.example")))

    assert (reading.is_healthy, reading.address) == (True, "127.0.0.1")
    assert asked == ["shop.example"]


def test_a_name_with_one_address_that_may_not_be_asked_is_not_asked_at_all(started, monkeypatch):
    application = started(answering("up"))
    resolves(monkeypatch, ["127.0.0.1", "10.0.0.5"])

    reading = PROBER.ask(Expectation(application.url(host="shop.example")))

    assert "10.0.0.5, which is not public and in no network of HEALTH_NETWORKS" in reading.why
    assert (reading.address, application.connections) == ("", 0)


def test_a_name_that_does_not_resolve_is_unhealthy(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    reading = PROBER.ask(Expectation("http://nowhere.invalid/"))

    assert reading.why == "The name nowhere.invalid does not resolve."


def test_a_name_that_does_not_resolve_in_time_is_not_waited_for(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(60) and [])

    reading = IMPATIENT.ask(Expectation("http://slow.example/"))

    release.set()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join()
    assert reading.why == "The name slow.example did not resolve in time."


def test_a_url_that_cannot_be_used_is_a_reading_too():
    assert "must begin with http" in PROBER.ask(Expectation("file:///etc/passwd")).why
