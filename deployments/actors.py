"""Who acts: a person with a request, or a part of the product itself."""

from dataclasses import dataclass

from deployments.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom an audit event names. `user` is None for the product's own parts."""

    name: str
    user: User | None = None
    request_id: str = ""
    address: str = ""


def person(user: User, *, request_id: str = "", address: str = "") -> Actor:
    """Return the actor for someone signed in."""
    return Actor(name=user.get_username(), user=user, request_id=request_id, address=address)


DISPATCHER = Actor("dispatcher")
EXECUTOR = Actor("executor")
COMMAND_LINE = Actor("command line")
