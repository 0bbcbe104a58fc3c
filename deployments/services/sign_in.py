"""Slowing down who guesses passwords, without letting anybody lock out somebody elsewhere.

A name is blocked only for the address that guessed it, and an address for every name; a name alone never is. One name
can use up a tenth of what its address may try: a script with an old password does not close an office.

The record gets one event when guessing begins and one when it is stopped, and only for names that exist: people type
passwords into the field of the name, and strangers must not fill a log that forgets nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.db import connection, transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import SignInTries, User
from deployments.services.audit import record

WINDOW = timedelta(minutes=15)
SECONDS = int(WINDOW.total_seconds())
MOST_OF_A_NAME = 10  # tries from one address
MOST_OF_AN_ADDRESS = 100  # tries, whatever the name: an office may share an address
IPV6_PREFIX = 64

COUNT = """
INSERT INTO deployments_signintries AS known (key, began_at, count) VALUES (%(key)s, clock_timestamp(), 1)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN known.began_at < clock_timestamp() - make_interval(secs => %(seconds)s)
          THEN 1 ELSE known.count + 1 END,
  began_at = CASE WHEN known.began_at < clock_timestamp() - make_interval(secs => %(seconds)s)
             THEN clock_timestamp() ELSE known.began_at END
RETURNING count, began_at + make_interval(secs => %(seconds)s) - clock_timestamp()
"""
WAIT = """
SELECT began_at + make_interval(secs => %(seconds)s) - clock_timestamp() FROM deployments_signintries
WHERE key = %(key)s AND count >= %(most)s AND began_at >= clock_timestamp() - make_interval(secs => %(seconds)s)
"""
FORGET = "DELETE FROM deployments_signintries WHERE began_at < clock_timestamp() - make_interval(secs => %(seconds)s)"


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
    if wait := _blocked(_key_of_address(actor.address), most=MOST_OF_AN_ADDRESS):
        raise TooManySignIns(wait=wait)  # nothing is written, whatever names are tried now
    number, wait = _count(_key_of_name(name, actor.address))
    if number > MOST_OF_A_NAME:
        if number == MOST_OF_A_NAME + 1:
            _record_once(name, "session.blocked", actor)
        raise TooManySignIns(wait=wait)
    _count(_key_of_address(actor.address))
    return Try(name, actor.address, number)


def end_well(tried: Try) -> None:
    """Forget the tries of a name from an address that had the right password in the end."""
    SignInTries.objects.filter(key=_key_of_name(tried.name, tried.address)).delete()
    of_address = SignInTries.objects.filter(key=_key_of_address(tried.address))
    if not of_address.filter(count__gt=tried.number).update(count=F("count") - tried.number):
        of_address.delete()


def end_badly(tried: Try, *, actor: Actor) -> None:
    """Write down, once a window, that somebody tries a name; and clear away the windows that are over."""
    if tried.number == 1:
        _record_once(tried.name, "session.refused", actor)
        with connection.cursor() as cursor:
            cursor.execute(FORGET, {"seconds": SECONDS})


def _blocked(key: str, *, most: int) -> timedelta | None:
    with connection.cursor() as cursor:
        cursor.execute(WAIT, {"key": key, "seconds": SECONDS, "most": most})
        found = cursor.fetchone()
    return found[0] if found else None


def _count(key: str) -> tuple[int, timedelta]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"key": key, "seconds": SECONDS})
        count, wait = cursor.fetchone()
    return count, wait


def _record_once(name: str, action: str, actor: Actor) -> None:
    user = User.objects.filter(username=name).first()
    if user is not None:
        with transaction.atomic():
            record(actor, action, user)


def _key_of_name(name: str, address: str) -> str:
    return salted_hmac("deployments.sign-in.name", f"{_place(address)} {name}", algorithm="sha256").hexdigest()


def _key_of_address(address: str) -> str:
    return salted_hmac("deployments.sign-in.address", _place(address), algorithm="sha256").hexdigest()


def _place(address: str) -> str:
    """Return what counts as one address: of IPv6 the network that one customer has."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((read, IPV6_PREFIX), strict=False)) if isinstance(read, IPv6Address) else str(read)
