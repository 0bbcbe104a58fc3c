"""Guessing passwords is slowed down, and nobody is locked out by somebody else."""

from datetime import timedelta

import pytest
from django.db.models import F

from deployments.models import AuditEvent, SignInTries
from deployments.services.sign_in import MOST_OF_A_NAME, WINDOW

PASSWORD = "correct horse battery"
WRONG = "wrong"
BLOCKED = "There were too many tries to sign in from here."
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def lee(cast, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # many tries, and none is about it
    cast.lee.set_password(PASSWORD)
    cast.lee.save()
    return cast.lee


@pytest.fixture
def sign_in(browse):
    """Return a function that sends a name and a password from an address."""

    def send(name="lee", password=WRONG, *, address=HERE):
        return browse(None).post("/sign-in/", {"username": name, "password": password}, REMOTE_ADDR=address)

    return send


def actions() -> list[str]:
    return list(
        AuditEvent.objects.filter(action__startswith="session.").order_by("seq").values_list("action", flat=True)
    )


def test_after_too_many_tries_even_the_right_password_opens_nothing_here_and_does_elsewhere(lee, sign_in):
    for _ in range(MOST_OF_A_NAME):
        assert sign_in().status_code == 200

    refused = sign_in(password=PASSWORD)

    assert (refused.status_code, BLOCKED in refused.content.decode()) == (429, True)
    assert 0 < int(refused["Retry-After"]) <= WINDOW.total_seconds()
    assert "sessionid" not in refused.cookies
    assert sign_in("mika").status_code == 200
    assert sign_in(password=PASSWORD, address=ELSEWHERE).status_code == 302


def test_the_window_ends_by_itself_and_is_not_made_longer_by_more_tries(lee, sign_in):
    for _ in range(MOST_OF_A_NAME + 5):
        sign_in()
    SignInTries.objects.update(began_at=F("began_at") - WINDOW - timedelta(seconds=1))

    assert sign_in(password=PASSWORD).status_code == 302


def test_the_right_password_forgets_what_went_before_it(lee, sign_in):
    for _ in range(3):
        for _ in range(MOST_OF_A_NAME - 1):
            sign_in()
        assert sign_in(password=PASSWORD).status_code == 302

    assert not SignInTries.objects.exists()


def test_many_names_from_one_address_are_one_guesser(lee, sign_in, monkeypatch):
    monkeypatch.setattr("deployments.services.sign_in.MOST_OF_AN_ADDRESS", 4)
    for number in range(4):
        assert sign_in(f"guess{number}").status_code == 200

    assert sign_in("lee", PASSWORD).status_code == 429
    assert sign_in("lee", PASSWORD, address=ELSEWHERE).status_code == 302
    known = SignInTries.objects.count()
    sign_in("yet another")
    assert SignInTries.objects.count() == known


def test_one_name_does_not_close_its_address_for_others(lee, sign_in, monkeypatch):
    monkeypatch.setattr("deployments.services.sign_in.MOST_OF_AN_ADDRESS", MOST_OF_A_NAME + 2)
    for _ in range(MOST_OF_A_NAME + 10):
        sign_in("an old script")

    assert sign_in("an old script").status_code == 429
    assert sign_in("lee", PASSWORD).status_code == 302


@pytest.mark.parametrize("given", [("lee", ""), ("", PASSWORD), ("", "")])
def test_what_was_left_empty_is_no_try_and_forgets_none(lee, sign_in, given):
    for _ in range(MOST_OF_A_NAME):
        sign_in()
        assert sign_in(*given).status_code == 200

    assert sign_in(password=PASSWORD).status_code == 429
    assert actions() == ["session.refused", "session.blocked"]


@pytest.mark.parametrize(
    ("other", "status"), [("2001:db8:1:2:ffff::9", 429), ("2001:db8:1:3::1", 302), ("not an address", 302)]
)
def test_of_ipv6_a_network_counts_as_one_address(lee, sign_in, other, status):
    for _ in range(MOST_OF_A_NAME):
        sign_in(address="2001:db8:1:2::1")

    assert sign_in(password=PASSWORD, address=other).status_code == status


def test_the_record_has_the_beginning_and_the_end_of_guessing_and_no_name_that_does_not_exist(lee, sign_in):
    for _ in range(MOST_OF_A_NAME + 3):
        sign_in()
        sign_in("correct horse battery staple")

    assert actions() == ["session.refused", "session.blocked"]
    event = AuditEvent.objects.get(action="session.blocked")
    assert (event.actor, event.actor_name, event.object_name, event.address) == (None, "somebody", "lee", HERE)
    assert "staple" not in str(list(AuditEvent.objects.values()))


def test_what_is_counted_names_nobody(lee, sign_in):
    sign_in()

    kept = str(list(SignInTries.objects.values()))
    assert "lee" not in kept
    assert HERE not in kept


def test_windows_that_are_over_are_cleared_away(lee, sign_in):
    sign_in("somebody else")
    SignInTries.objects.update(began_at=F("began_at") - WINDOW - timedelta(seconds=1))

    sign_in(address=ELSEWHERE)

    assert SignInTries.objects.count() == 2
