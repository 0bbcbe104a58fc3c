"""Whether an answer means that the application is well."""

import json

import pytest

from checks.health import Answer, Expectation, judge, latency_of, version_of

URL = "http://shop.example/health"
BODY = json.dumps(
    {
        "status": "up",
        "checks": [{"name": "database", "status": "up"}, {"name": "queue", "status": "down", "ready": False}],
        "since": None,
        "nested": {"": {"0": "zero"}},
    }
).encode()


def why(body: bytes | str = BODY, *, status: int = 200, is_cut: bool = False, **expected: object) -> str:
    content = body.encode() if isinstance(body, str) else body
    return judge(Answer(status, content, is_cut=is_cut), Expectation(URL, **expected))


def version(body: str, path: str = "version") -> str:
    return version_of(Answer(200, body.encode()), Expectation(URL, version_path=path))


def latency(body: str, path: str = "latency.p99_ms", *, status: int = 200, is_cut: bool = False) -> float | None:
    return latency_of(Answer(status, body.encode(), is_cut=is_cut), Expectation(URL, latency_path=path))


def test_the_status_alone_is_enough_when_nothing_more_is_expected():
    assert why(b"", status=200) == ""
    assert why(b"", status=204) == "Its status is 204, not 200."
    assert why(b"", status=503) == "Its status is 503, not 200."
    assert why(b"", status=401, text="x") == "Its status is 401, not 200."


def test_a_redirect_is_named_as_one_unless_it_is_what_is_expected():
    assert why(b"", status=301) == "It redirects (301), and redirects are not followed."
    assert judge(Answer(302, b""), Expectation(URL, status=302)) == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "up"),
        ("checks.0.status", "up"),
        ("checks.1.ready", "false"),
        ("since", "null"),
        ("nested..0", "zero"),
        ("status", ""),  # a path alone asks that something is there
    ],
)
def test_the_value_at_a_path_is_compared_as_text(path, value):
    assert why(json_path=path, json_value=value) == ""


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("true", "true"),
        ("1", "1"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ('"1"', "1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_number_is_compared_as_it_is_written(body, value):
    assert why(f'{{"a": {body}}}', json_path="a", json_value=value) == ""


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("checks.1.status", "up", 'checks.1.status is "down", not "up".'),
        ("checks.1.ready", "False", 'checks.1.ready is "false", not "False".'),
        ("checks.2.status", "up", "The JSON has nothing at checks.2.status."),
        ("checks.-1.status", "down", "The JSON has nothing at checks.-1.status."),
        ("checks.²", "", "The JSON has nothing at checks.²."),
        ("checks.first", "up", "The JSON has nothing at checks.first."),
        ("status.up", "up", "The JSON has nothing at status.up."),
        ("missing", "", "The JSON has nothing at missing."),
        ("checks", "", "The JSON has no single value at checks."),
        ("checks.0", "x", "The JSON has no single value at checks.0."),
    ],
)
def test_another_value_or_none_is_said(path, value, said):
    assert why(json_path=path, json_value=value) == said


@pytest.mark.parametrize(
    "body", ["", "up", "{", "<html>", '{"a": 1} x', b"\xff\xfe\xff", "[" * 60_000, '{"a":' * 10_000]
)
def test_a_body_that_is_not_json_is_said_to_be_none(body):
    assert why(body, json_path="a", json_value="1") == "Its body is not JSON."


def test_the_json_of_a_body_that_was_cut_is_not_guessed():
    assert why('{"a": 1}', is_cut=True, json_path="a") == (
        "Its body is longer than 64 KiB, so the JSON in it was not read."
    )


def test_a_text_occurs_in_the_body_or_in_as_much_of_it_as_was_read():
    assert why("Alles läuft.", text="läuft") == ""
    assert why("Alles läuft.", is_cut=True, text="läuft") == ""
    assert why("Alles steht.", text="läuft") == '"läuft" does not occur in the body.'
    assert why("Alles steht.", is_cut=True, text="läuft") == '"läuft" does not occur in the first 64 KiB of its body.'


def test_everything_that_is_expected_must_hold():
    assert why(json_path="status", json_value="up", text="database") == ""
    assert why(json_path="status", json_value="up", text="cache") == '"cache" does not occur in the body.'
    assert "down" in why(json_path="checks.1.status", json_value="up", text="database")


def test_what_is_quoted_of_an_answer_is_short_and_printable():
    said = why(json.dumps({"a": "\x1b[31m\x00\ud800" + "x" * 500}), json_path="a", json_value="up")

    assert said == f'a is "[31m{"x" * 56}…", not "up".'


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"version": "2.4.1"}', "2.4.1"),
        ('{"version": 7}', "7"),
        ('{"version": " 2.4.1\\n"}', "2.4.1"),
        ('{"version": "2\\u0000.4\\u001b\\ud800"}', "2.4"),
        ('{"version": null}', ""),
        ('{"version": ["2"]}', ""),
        ('{"build": "2"}', ""),
        ("2.4.1", ""),
    ],
)
def test_the_version_is_read_if_the_answer_carries_it(body, found):
    assert version(body) == found


def test_a_version_is_at_most_120_long_and_not_read_unasked():
    assert version(json.dumps({"version": "x" * 500})) == "x" * 120
    assert version('{"version": "2"}', path="") == ""


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("214", 214.0),
        ("214.5", 214.5),
        ("2.145e2", 214.5),
        ("0", 0.0),
        ("-0.0", 0.0),
        ("86400000", 86_400_000.0),
        ("86400001", None),  # more than a day
        ("1e999", None),
        ("9" * 5000, None),
        ("-1", None),
        ("null", None),
        ("true", None),
        ('"214"', None),
        ('"214 ms"', None),
        ("NaN", None),
        ("Infinity", None),
        ("[214]", None),
        ("{}", None),
    ],
)
def test_a_latency_is_a_number_from_zero_to_a_day_and_nothing_else_is_one(written, read):
    found = latency(f'{{"latency": {{"p99_ms": {written}}}}}')

    assert (found, str(found)) == (read, str(read))  # -0.0 equals 0.0


def test_a_latency_that_is_not_in_the_answer_is_none():
    assert latency('{"latency": 214}') is None
    assert latency("214 ms") is None
    assert latency('{"latency": {"p99_ms": 214}}', is_cut=True) is None
    assert latency('{"": 214}', path="") is None


def test_a_latency_is_read_from_an_unhealthy_answer_too_and_makes_none_unhealthy():
    expected = Expectation(URL, latency_path="latency.p99_ms")

    assert latency('{"latency": {"p99_ms": 9000}}', status=503) == 9000
    assert judge(Answer(200, b"nothing of the kind"), expected) == ""
    assert judge(Answer(200, b'{"latency": {"p99_ms": 86000000}}'), expected) == ""
