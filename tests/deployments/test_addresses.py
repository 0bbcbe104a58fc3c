"""Where health checks may go: every address that is not public needs permission, and some never get it."""

from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest

from checks.health import Expectation
from deployments.addresses import HealthCheckUnusable, NoAnswer, Place, is_public, require_permitted
from deployments.probe import Prober
from tests.application import answering, resolves, running

EVERYTHING = [ip_network("0.0.0.0/0"), ip_network("::/0")]
LOOPBACK = [ip_network("127.0.0.0/8")]

INTERNAL = [
    *("10.0.0.5", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8", "0.1.2.3", "100.64.0.1", "198.18.0.1"),
    *("192.0.0.9", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("::", "::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001:20::1", "3fff::1"),
    *("::7f00:1", "::ffff:0:7f00:1", "::ffff:0:808:808", "64:ff9b::7f00:1", "64:ff9b::808:808", "5f00::1"),
]
METADATA = [
    *("169.254.169.254", "169.254.170.2", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fe80::1"),
    *("64:ff9b::a9fe:a9fe", "::a9fe:a9fe", "::ffff:0:a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1"),
    *("2002:7f00:1::", "2001:0:a9fe:a9fe::1"),
]


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_needs_no_permission(address):
    require_permitted([ip_address(address)], [])

    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", INTERNAL)
def test_any_other_address_needs_a_network_that_holds_it(address):
    with pytest.raises(NoAnswer, match="which is not public and in no network of HEALTH_NETWORKS"):
        require_permitted([ip_address(address)], [ip_network("10.200.0.0/16"), ip_network("fd99::/16")])

    require_permitted([ip_address(address)], EVERYTHING)


@pytest.mark.parametrize("address", METADATA)
def test_metadata_link_local_and_tunnels_are_never_asked_whatever_is_allowed(address):
    with pytest.raises(NoAnswer, match="are never asked"):
        require_permitted([ip_address("93.184.216.34"), ip_address(address)], EVERYTHING)


@pytest.mark.parametrize("host", [*METADATA, "::ffff:169.254.169.254", "2852039166", "0xa9fea9fe", "169.254.43518"])
def test_the_prober_never_asks_metadata_however_it_is_written(host):
    url = f"http://[{host}]/latest" if ":" in host else f"http://{host}/latest"

    reading = Prober(EVERYTHING, timedelta(seconds=1)).ask(Expectation(url))

    assert (reading.is_healthy, reading.address) == (False, "")
    assert "are never asked" in reading.why


def test_a_name_that_leads_to_metadata_is_not_asked(monkeypatch):
    resolves(monkeypatch, ["169.254.169.254"])

    reading = Prober(EVERYTHING, timedelta(seconds=1)).ask(Expectation("http://metadata.google.internal/"))

    assert "are never asked" in reading.why


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::ffff:7f00:1]"])
def test_odd_spellings_are_judged_by_what_they_mean(host):
    with running(answering("up")) as application:
        expectation = Expectation(application.url(host=host))
        allowed = Prober(LOOPBACK, timedelta(seconds=1)).ask(expectation)
        refused = Prober([], timedelta(seconds=1)).ask(expectation)

    assert (allowed.why, allowed.address) == ("", "127.0.0.1")
    assert "It leads to 127.0.0.1, which is not public" in refused.why
    assert application.connections == 1


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://shop.example", ("http", "shop.example", 80, "/")),
        ("HTTPS://Shop.Example:8443/a/b?c=d#e", ("https", "shop.example", 8443, "/a/b?c=d")),
        ("http://my_app:8000?x", ("http", "my_app", 8000, "/?x")),
        ("http://[::1]:80/", ("http", "::1", 80, "/")),
    ],
)
def test_a_url_is_taken_apart(url, parts):
    place = Place.of(url)

    assert ("https" if place.is_tls else "http", place.host, place.port, place.target) == parts


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://shop.example:80/", "shop.example"),
        ("https://shop.example:80/", "shop.example:80"),
        ("https://shop.example/", "shop.example"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
def test_the_host_header_names_a_port_that_is_not_the_usual_one(url, header):
    assert Place.of(url).host_header == header


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "must begin with http:// or https://"),
        ("shop.example/health", "must begin with http:// or https://"),
        ("ftp://shop.example/", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http:///health", "names no host"),
        ("http://.example/", "names no host"),
        ("http://a..b/", "names no host"),
        (f"http://{'a' * 64}.example/", "names no host"),
        ("http://[fe80::1%25eth0]/", "names no host"),
        ("http://shop.example:0/", "names no host"),
        ("http://shop.example:99999/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://shop.example/a b", "percent form"),
        ("http://shop.example/\r\nX: y", "percent form"),
        ("http://shop.example\\@other.example/", "percent form"),
        ("http://shöp.example/", "percent form"),
        ("http://shop.example/" + "a" * 500, "longer than 500"),
        ("http://shop:hunter2@shop.example/", "a name or a password"),
        ("https://hunter2@shop.example/", "a name or a password"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(url, problem):
    with pytest.raises(HealthCheckUnusable, match=problem) as refused:
        Place.of(url)

    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
