"""Signing in and out, and what a person sees of themselves."""

import io

import pytest
from django.core.management import call_command

from deployments.models import AuditEvent, Grant
from deployments.models.grant import Role

PASSWORD = "correct horse battery"


@pytest.fixture
def lee(cast):
    cast.lee.set_password(PASSWORD)
    cast.lee.save()
    return cast.lee


def test_who_signs_in_is_where_they_wanted_to_be(lee, browse):
    client = browse(None)

    answer = client.post("/sign-in/?next=/runs/", {"username": "lee", "password": PASSWORD, "next": "/runs/?x=1"})

    assert answer["Location"] == "/runs/?x=1"
    assert client.get("/runs/").status_code == 200


def test_nobody_is_sent_to_another_site(lee, browse):
    answer = browse(None).post("/sign-in/", {"username": "lee", "password": PASSWORD, "next": "//evil.example/"})

    assert answer["Location"] == "/"


@pytest.mark.parametrize("given", [("lee", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_name_and_a_wrong_password_are_told_in_the_same_words(lee, browse, given):
    client = browse(None)

    html = client.post("/sign-in/", dict(zip(("username", "password"), given, strict=True))).content.decode()

    assert "This name and password do not belong together." in html
    assert "wrong" not in html
    assert client.get("/runs/").status_code == 302


def test_a_closed_account_does_not_open(lee, browse):
    lee.is_active = False
    lee.save()
    client = browse(None)

    client.post("/sign-in/", {"username": "lee", "password": PASSWORD})

    assert client.get("/runs/").status_code == 302


def test_who_signs_out_is_out(lee, browse):
    client = browse(lee)

    answer = client.post("/sign-out/")

    assert answer["Location"] == "/sign-in/"
    assert client.get("/runs/").status_code == 302


def test_a_press_after_the_session_ended_leads_back_to_its_page(cast, browse):
    answer = browse(None).post("/account/preferences/", headers={"Referer": "http://testserver/account/?x=1"})
    from_elsewhere = browse(None).post("/account/preferences/", headers={"Referer": "http://evil.example/account/"})

    assert answer["Location"] == "/sign-in/?next=/account/%3Fx%3D1"
    assert from_elsewhere["Location"] == "/sign-in/?next=/"


def test_cookies_of_a_session_are_for_this_site_alone(lee, browse, settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = browse(None)
    client.get("/sign-in/")

    client.post("/sign-in/", {"username": "lee", "password": PASSWORD}, secure=True)

    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")


def test_the_account_shows_every_role_with_where_it_holds(cast, browse):
    Grant.objects.create(user=cast.lee, role=Role.ON_CALL, application=cast.rewards)
    Grant.objects.create(user=cast.lee, role=Role.ARCHITECT, application=cast.rewards, environment=cast.production)

    html = browse(cast.lee).get("/account/").content.decode()

    told = ("DBA</th>", "everywhere", "On-call</th>", "<code>rewards</code>, every environment")
    assert [one for one in (*told, "Architect</th>", "<code>rewards/production</code>") if one not in html] == []
    assert "Auditor" not in html


def test_who_holds_no_role_is_told_whom_to_ask(cast, browse):
    assert "Ask an administrator for a role." in browse(cast.charlie).get("/account/").content.decode()


def test_preferences_are_kept_by_the_browser(cast, browse):
    client = browse(cast.lee)

    answer = client.post("/account/preferences/", {"theme": "dark"})
    html = client.get("/account/").content.decode()

    assert answer["Location"] == "/account/"
    assert '<html lang="en" data-theme="dark"' in html
    assert 'data-keys="off"' in html
    client.post("/account/preferences/", {"theme": "", "keys": "on"})
    html = client.get("/account/").content.decode()
    assert "data-theme" not in html
    assert "data-keys" not in html


def test_a_preference_that_does_not_exist_is_refused(cast, browse):
    answer = browse(cast.lee).post("/account/preferences/", {"theme": "pink"})

    assert answer.status_code == 422
    assert "theme" not in answer.cookies


@pytest.mark.parametrize("cookie", ["../../etc/passwd", "Europe", "<script>", "Mars/Olympus"])
def test_a_cookie_that_is_nonsense_counts_as_unset(cast, browse, cookie):
    client = browse(cast.lee)
    client.cookies["zone"] = cookie
    client.cookies["theme"] = cookie

    html = client.get("/account/").content.decode()

    assert cookie not in html
    assert "data-theme" not in html


def test_the_second_time_is_in_the_persons_zone(cast, browse):
    client = browse(cast.lee)
    client.cookies["zone"] = "Europe%2FBerlin"

    assert " Berlin)</span>" in client.get("/account/").content.decode()


def test_changepassword_sets_the_password_of_a_person(cast, browse, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda **_: PASSWORD)
    call_command("changepassword", "lee", stdout=io.StringIO())
    client = browse(None)

    client.post("/sign-in/", {"username": "lee", "password": PASSWORD})

    assert client.get("/runs/").status_code == 200


def test_who_signs_in_and_out_is_in_the_audit_log_and_that_somebody_failed_before(cast, browse):
    cast.dana.set_password(PASSWORD)
    cast.dana.save()
    client = browse()
    before = AuditEvent.objects.count()

    for password in ("wrong", PASSWORD):
        client.post("/sign-in/", {"username": "dana", "password": password}, REMOTE_ADDR="192.0.2.7")
    client.post("/sign-out/", REMOTE_ADDR="192.0.2.8")
    client.post("/sign-out/")  # pressed twice: nobody leaves

    told = AuditEvent.objects.order_by("seq")[before:]
    assert [(one.action, one.actor_name, one.object_name, one.address) for one in told] == [
        ("session.refused", "somebody", "dana", "192.0.2.7"),
        ("session.opened", "dana", "dana", "192.0.2.7"),
        ("session.closed", "dana", "dana", "192.0.2.8"),
    ]
    assert all(one.request_id for one in told)
