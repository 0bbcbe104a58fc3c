"""Slowing down who guesses passwords, without letting anybody lock somebody else out.

A name is blocked only for the address that guessed it, and an address for every name; a name alone never is. The
record gets one event when guessing begins and one when it is stopped, and only for names that exist: people type
passwords into the field of the name, and strangers must not fill a log that forgets nothing.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import SignInTries, User
from deployments.services.audit import record

WINDOW = timedelta(minutes=15)
MOST_OF_A_NAME = 10  # tries from one address
MOST_OF_AN_ADDRESS = 100  # tries, whatever the name: an office may share an address

COUNT = """
INSERT INTO deployments_signintries AS known (key, began_at, count) VALUES (%(key)s, clock_timestamp(), 1)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN known.began_at < clock_timestamp() - %(window)s THEN 1 ELSE known.count + 1 END,
  began_at = CASE WHEN known.began_at < clock_timestamp() - %(window)s THEN clock_timestamp() ELSE known.began_at END
RETURNING count, began_at + %(window)s - clock_timestamp()
"""
FORGET = "DELETE FROM deployments_signintries WHERE began_at < clock_timestamp() - %(window)s"


class TooManySignIns(DeploymentError):
    """Somebody guesses."""

    code = "too-many-sign-ins"

    def __init__(self, *, wait: timedelta) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        minutes = -(-self.seconds // 60)
        super().__init__(
            "There were too many tries to sign in from here. Nothing was opened, and no password was looked at. Try "
            f"again in {minutes} minute{'' if minutes == 1 else 's'}. Nobody is held up elsewhere."
        )


@dataclass(frozen=True, slots=True)
class Try:
    """One try to sign in that was let through. `number` counts those of this name from this address in this window."""

    name: str
    address: str
    number: int


def begin_try(name: str, *, actor: Actor) -> Try:
    """Count a try before any password is looked at, and return it. `actor` carries the address.

    Raises TooManySignIns.
    """
    of_name, name_waits = _count(_key(name, actor.address))
    of_address, address_waits = _count(_key("", actor.address))
    if of_name > MOST_OF_A_NAME:
        if of_name == MOST_OF_A_NAME + 1:
            _record_once(name, "session.blocked", actor)
        raise TooManySignIns(wait=name_waits)
    if of_address > MOST_OF_AN_ADDRESS:
        raise TooManySignIns(wait=address_waits)
    return Try(name, actor.address, of_name)


def end_well(tried: Try) -> None:
    """Forget the tries of a name from an address that had the right password in the end."""
    SignInTries.objects.filter(key=_key(tried.name, tried.address)).delete()
    of_address = SignInTries.objects.filter(key=_key("", tried.address))
    if not of_address.filter(count__gt=tried.number).update(count=F("count") - tried.number):
        of_address.delete()


def end_badly(tried: Try, *, actor: Actor) -> None:
    """Write down, once a window, that somebody tries a name; and clear away the windows that are over."""
    if tried.number == 1:
        _record_once(tried.name, "session.refused", actor)
        with connection.cursor() as cursor:
            cursor.execute(FORGET, {"window": WINDOW})


def _count(key: str) -> tuple[int, timedelta]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"key": key, "window": WINDOW})
        count, wait = cursor.fetchone()
    return count, wait


def _record_once(name: str, action: str, actor: Actor) -> None:
    user = User.objects.filter(username=name).first()
    if user is not None:
        with transaction.atomic():
            record(actor, action, user)


def _key(name: str, address: str) -> str:
    return salted_hmac("deployments.sign-in", f"{address}\0{name}", algorithm="sha256").hexdigest()
