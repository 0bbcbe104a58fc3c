"""Taking a target on again: a copy, or one that knows more than a control database restored from an older backup."""

from typing import Any

from django.db import connection, transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Database, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.postgres.errors import FenceAhead
from deployments.selectors.lives import standing_of
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.observe import require_idle, settle_identity
from deployments.services.transition import lock_databases


class ReadoptionReasonMissing(DeploymentError):
    """A target was to be re-adopted without a reason."""

    code = "readoption-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "To re-adopt a target needs a reason, for the record: what happened, and why the target is right. "
            "Nothing was changed. Give one."
        )


def require_readoptable(database: Database, *, reason: str, actor: Actor) -> None:
    """Raise NotAllowed, ReadoptionReasonMissing or DatabaseInUse if this actor may not re-adopt this target now.

    The command line itself may: it sets up installations, and it is what is left when nobody can sign in.
    """
    if actor.user is not None:
        require(actor, Action.READOPT, database)
    if not reason.strip():
        raise ReadoptionReasonMissing
    require_idle(database)


def require_not_ahead(database: Database) -> None:
    """Raise FenceAhead if a target, as last read, knows more than the control database.

    An executor asks the target itself. Here it is asked before a run gets a number, which may have been given out
    before: numbers are moved on when the target is re-adopted.
    """
    standing = standing_of(database)
    if standing is not None and standing.code == FenceAhead.code:
        raise FenceAhead(target=str(database), knows=standing.say.rstrip(".").removeprefix("It "))


def request_readoption(database: Database, *, reason: str, actor: Actor) -> TargetRequest:
    """Ask for a target to be re-adopted as soon as a dispatcher or worker can, and return the wish.

    Asked twice it is the same wish. Raises as `require_readoptable` does.
    """
    with transaction.atomic():
        lock_databases([database.pk])
        require_readoptable(database, reason=reason, actor=actor)
        wishes = TargetRequest.objects.filter(database=database, kind=RequestKind.READOPT, answered_at=None)
        if (open_one := wishes.first()) is not None:
            return open_one
        wish = TargetRequest.objects.create(
            database=database, kind=RequestKind.READOPT, reason=reason, requested_by=actor.user
        )
        record(actor, "database.readoption-requested", database, reason=reason)
        announce_sweep()
    return wish


def begin_readoption(database: Database, seen: dict[str, Any], *, is_ours: bool, reason: str, actor: Actor) -> None:
    """Record what the target knows that we do not, and move our numbers beyond what it has seen. It is marked next.

    `seen` is what the target remembers. Its jobs and runs are of our numbers only if it carries our mark (`is_ours`);
    its fence counts in any case, because it is the one that a later executor must stand above.
    Raises as `require_readoptable` does.
    """
    with transaction.atomic():
        lock_databases([database.pk])
        require_readoptable(database, reason=reason, actor=actor)
        numbers = [seen["fence"], seen["job"] if is_ours else 0, seen["run"] if is_ours else 0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT locktender_numbers_beyond(%s, %s, %s)", numbers)
        after = {key: seen[key] for key in ("fence", "job", "run", "unknown", "rows")}
        record(actor, "database.readoption-begun", database, before=seen["marked"], after=after, reason=reason)


def keep_readoption(database: Database, seen: dict[str, Any], *, reason: str, actor: Actor) -> None:
    """Remember that a target was marked anew, and which server database the entry stands for from now on.

    Raises IdentityTaken if another entry stands for that place.
    """
    with transaction.atomic():
        held = Database.objects.select_for_update().get(pk=database.pk)
        found = seen["found"]
        record(actor, "database.readopted", held, before=seen["marked"], after=found, reason=reason)
        settle_identity(held, found["system"], found["name"], actor=actor)
