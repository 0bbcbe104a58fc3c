"""Every address, by everybody: who gets what, and no page breaks the content security policy."""

import pytest
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
def test_everybody_gets_from_an_address_what_the_table_says(cast, browse, name):
    row = WALK[name]
    path = reverse(name, kwargs=row.given(cast))
    clients = {person: browse(getattr(cast, person)) for person in PEOPLE} | {"nobody": browse(None)}

    answers = {person: client.get(path).status_code for person, client in clients.items()}

    assert answers == row.expected()


@pytest.mark.parametrize("name", WALK)
@pytest.mark.parametrize("person", ["lee", "charlie", None])
def test_no_answer_holds_what_the_policy_forbids(cast, browse, name, person):
    path = reverse(name, kwargs=WALK[name].given(cast))

    answer = browse(person and getattr(cast, person)).get(path)

    assert set(answer["Content-Security-Policy"].split("; ")) == STRICT
    if answer["Content-Type"].startswith("text/html") and answer.content:
        assert faults(answer.content.decode()) == []


@pytest.mark.parametrize("name", WALK)
def test_a_fragment_is_a_part_of_its_page(cast, browse, name):
    row = WALK[name]
    path = reverse(name, kwargs=row.given(cast))
    client = browse(cast.lee)
    whole, part = client.get(path), client.get(path, headers={"HX-Request": "true"})

    assert part.status_code == (row.part or whole.status_code)
    if part.status_code == 200 and part["Content-Type"].startswith("text/html"):
        assert "<html" not in part.content.decode()
        assert faults(part.content.decode()) == []
    if row.signed_in == 200 and whole["Content-Type"].startswith("text/html"):
        assert "HX-Request" in whole["Vary"]
        assert whole["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", sorted(name for name, row in WALK.items() if row.nobody == 302))
def test_who_is_not_signed_in_comes_back_to_where_they_wanted_to_be(cast, browse, name):
    path = reverse(name, kwargs=WALK[name].given(cast))

    page = browse(None).get(f"{path}?from=2026")
    part = browse(None).get(path, headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/runs/?x=1"})

    assert page["Location"] == f"/sign-in/?next={path}%3Ffrom%3D2026"
    assert (part.status_code, part["HX-Redirect"]) == (401, "/sign-in/?next=/runs/%3Fx%3D1")
    assert part.content == b""
