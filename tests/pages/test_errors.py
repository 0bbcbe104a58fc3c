"""Pages of what went otherwise: in our words, with a request id, and without a word too much."""

import re

import pytest

from deployments.errors import DeploymentError
from deployments.views.errors import status_of
from tests.pages.markup import faults
from tests.pages.urls import ERRORS
from tests.pages.words import words


@pytest.fixture(autouse=True)
def addresses(settings):
    settings.ROOT_URLCONF = "tests.pages.urls"


SAID = {
    "not-allowed": (403, "This is closed to you.", "that takes the role DBA or On-call"),
    "stale": (409, "Changed since you opened it.", "is no longer"),
    "refused": (422, "This was refused.", "reason"),
    "broken": (500, "This page could not be made.", "Runs go on"),
    "away": (503, "The control database does not answer.", "start nothing new"),
    "nonsense": (400, "This request was not understood.", "Nothing was done."),
}


@pytest.mark.parametrize(("which", "said"), SAID.items())
def test_an_error_says_what_happened_and_what_it_means_and_has_an_id(cast, browse, which, said):
    status, first, then = said

    answer = browse(cast.lee).get(f"/fails/{which}/")

    html = answer.content.decode()
    assert answer.status_code == status
    assert first in html
    assert then in html
    assert "What now" in html
    assert html.count(answer["X-Request-ID"]) >= 2
    assert faults(html) == []


@pytest.mark.parametrize("which", ["not-allowed", "stale", "refused"])
def test_a_refusal_shows_its_own_text_and_its_code(cast, browse, which):
    refusal = ERRORS[which]()

    html = browse(cast.lee).get(f"/fails/{which}/").content.decode()

    assert f"<code>{refusal.code}</code>" in html
    assert str(refusal) in html.replace("&#x27;", "'")


@pytest.mark.parametrize(("which", "status"), [(which, said[0]) for which, said in SAID.items()])
def test_a_fragment_that_fails_is_a_fragment(cast, browse, which, status):
    answer = browse(cast.lee).get(f"/fails/{which}/", headers={"HX-Request": "true"})

    assert answer.status_code == status
    assert "<html" not in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()


@pytest.mark.parametrize("which", ["broken", "away"])
def test_a_fault_of_ours_tells_nothing_of_the_inside_and_asks_the_database_nothing(
    cast, browse, which, django_assert_num_queries
):
    client = browse(None)
    client.get("/open/fails/broken/")  # what is loaded once

    with django_assert_num_queries(0):
        answer = client.get(f"/open/fails/{which}/")

    html = answer.content.decode()
    assert "secret" not in html
    assert "10.1.2.3" not in html
    assert "Traceback" not in html
    assert "Account of" not in browse(cast.lee).get(f"/fails/{which}/").content.decode()


def test_what_was_typed_is_kept_on_the_page_of_a_refusal(cast, browse):
    typed = {"reason": "Points <need> a currency", "request_key": "f00d", "password": "sesame", "digest": "ab" * 32}

    html = browse(cast.lee).post("/fails/stale/", typed).content.decode()

    assert "Points &lt;need&gt; a currency" in html
    assert not re.search("f00d|sesame|abab", html)


def test_a_form_without_its_token_is_not_taken_and_keeps_what_was_typed(cast, browse):
    client = browse(cast.lee)
    client.handler.enforce_csrf_checks = True

    answer = client.post("/who/", {"comment": "Looks right"})

    html = answer.content.decode()
    assert answer.status_code == 403
    assert "This form is too old, or from another sign-in." in html
    assert "Looks right" in html
    assert faults(html) == []


def test_what_is_not_there_is_said_to_everybody(cast, browse):
    for person in (cast.lee, None):
        answer = browse(person).get("/runs/99999/nowhere/")

        assert answer.status_code == 404
        assert "There is nothing here that you may see." in answer.content.decode()
        assert faults(answer.content.decode()) == []


def test_each_request_has_an_id_of_its_own_and_believes_no_other(cast, browse):
    client = browse(cast.lee)

    ids = [client.get("/who/", headers={"X-Request-ID": "MINE"})["X-Request-ID"] for _ in range(3)]

    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{12}", one) for one in ids)


def test_a_service_learns_who_acts_in_which_request_and_from_where(cast, browse):
    answer = browse(cast.lee).get("/who/", headers={"X-Forwarded-For": "6.6.6.6"})

    assert answer.content.decode() == f"lee {cast.lee.pk} {answer['X-Request-ID']} 127.0.0.1"


def test_behind_a_proxy_the_address_is_the_one_the_proxy_saw(cast, browse, settings):
    settings.BEHIND_PROXY = True

    answer = browse(cast.lee).get("/who/", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"})

    assert answer.content.decode().endswith(" 192.0.2.7")


def test_an_unchanged_fragment_is_answered_with_nothing(cast, browse):
    client, part = browse(cast.lee), {"HX-Request": "true"}

    assert client.get("/counter/?seen=3", headers=part).status_code == 204
    assert client.get("/counter/?seen=2", headers=part).content == b"three"
    assert client.get("/counter/?seen=3").content == b"three"
    assert client.get("/counter/?seen=3", headers=part | {"HX-Boosted": "true"}).content == b"three"


def test_a_page_keeps_its_status(cast, browse):
    assert browse(cast.lee).get("/page/").status_code == 409


def test_a_refusal_nobody_listed_is_one_that_can_be_corrected():
    class Another(DeploymentError):
        code = "another"

    assert status_of(Another("x")) == 422


@pytest.mark.parametrize("path", ["/sign-out/", "/account/preferences/", "/runs/new/read-again/"])
def test_an_address_that_is_only_sent_to_is_no_blank_page_when_it_is_opened(cast, browse, path):
    answer = browse(cast.lee).get(path)

    assert (answer.status_code, "POST" in answer["Allow"]) == (405, True)
    assert "Nothing was done: this address does not take what was sent." in words(answer)


def test_what_was_typed_is_kept_where_nothing_can_be_sent_to(cast, browse):
    answer = browse(cast.lee).post("/runs/", {"comment": "A long thought"})

    assert (answer.status_code, "A long thought" in words(answer)) == (405, True)
