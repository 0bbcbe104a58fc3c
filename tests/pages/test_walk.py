"""Every address, by everybody: who gets what, and no page breaks the content security policy."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, reverse

from tests.pages.markup import faults
from tests.pages.walk import PEOPLE, WALK

STRICT = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}


def addresses(resolver=None):
    """Yield every route below a resolver, named or not."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern)
        else:
            yield pattern


def test_every_address_has_a_name_and_a_row():
    names = [pattern.name for pattern in addresses()]

    assert sorted(map(str, names)) == sorted(WALK)


@pytest.mark.parametrize("name", WALK)
def test_an_address_answers_everybody_as_the_table_says_and_keeps_the_policy(cast, browse, name):
    row = WALK[name]
    path = reverse(name, kwargs=row.given(cast))
    clients = {person: browse(getattr(cast, person)) for person in PEOPLE} | {"nobody": browse(None)}

    answers = {person: client.get(path) for person, client in clients.items()}

    assert {person: answer.status_code for person, answer in answers.items()} == row.expected()
    for answer in answers.values():
        assert set(answer["Content-Security-Policy"].split("; ")) == STRICT
    for person in ("lee", "charlie", "nobody"):
        if is_page(answers[person]):
            assert faults(answers[person].content.decode()) == []
    whole, part = answers["lee"], clients["lee"].get(path, headers={"HX-Request": "true"})
    assert part.status_code == (row.part or whole.status_code)
    if part.status_code == 200 and is_page(part):
        assert "<html" not in part.content.decode()
        assert faults(part.content.decode()) == []
    if row.signed_in == 200 and is_page(whole):
        assert "HX-Request" in whole["Vary"]
        assert whole["Cache-Control"] == "private, no-cache"
    if row.nobody == 302:
        require_return_after_sign_in(clients["nobody"], path)


def is_page(answer: HttpResponse) -> bool:
    return answer["Content-Type"].startswith("text/html") and bool(answer.content)


def require_return_after_sign_in(nobody: Client, path: str) -> None:
    page = nobody.get(f"{path}?from=2026")
    part = nobody.get(path, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/runs/?x=1"})

    assert page["Location"] == f"/sign-in/?next={path}%3Ffrom%3D2026"
    assert (part.status_code, part["HX-Redirect"]) == (401, "/sign-in/?next=/runs/%3Fx%3D1")
    assert part.content == b""
