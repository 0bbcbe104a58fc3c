"""Having counted what a way back by script would drop, and which rows would not fit the old schema."""

from django.db import transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.models import MigrationRun, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.draft import draft_rollback
from deployments.services.looks import answer
from deployments.services.transition import lock_databases, locked_run


def request_script_price(run: MigrationRun, *, actor: Actor) -> list[TargetRequest]:
    """Ask for what the way back from a run costs to be counted on each of its databases, and return the wishes.

    Asked twice they are the same. The product itself may ask; a person must be one who may roll back. Raises
    NotAllowed, and what `draft_rollback` raises.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        if actor.user is not None:
            require(actor, Action.ROLL_BACK, held)
        places = {database.pk for database in draft_rollback(held).observations}
        lock_databases(places)
        wishes, is_new = [], False
        for job in held.jobs.filter(database__in=places):
            open_one = TargetRequest.objects.filter(
                database=job.database_id, kind=RequestKind.SCRIPT_PRICE, answered_at=None
            )
            for other in open_one.exclude(job=job):  # of another run, whose page asks again
                answer(other, code="overtaken", error="Another way back of this database was asked about. Ask again.")
            wish, created = open_one.get_or_create(
                job=job,
                defaults={
                    "database_id": job.database_id,
                    "kind": RequestKind.SCRIPT_PRICE,
                    "answered_at": None,
                    "requested_by": actor.user,
                },
            )
            wishes.append(wish)
            is_new = is_new or created
        if is_new:
            record(actor, "run.price-requested", held, after={"kind": RequestKind.SCRIPT_PRICE.value})
            announce_sweep()
    return wishes
