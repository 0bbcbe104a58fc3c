"""Re-adopting a target: first what it knows is recorded here, then it is marked there, then it is read anew."""

from functools import partial

from deployments.actors import Actor
from deployments.models import ControlPlane, Database
from deployments.pipelines.observing import observe_database, target_of
from deployments.postgres.connect import session
from deployments.postgres.errors import TargetSchemaMissing
from deployments.postgres.ledger import installation_sql
from deployments.postgres.lives import Remembered, readopt, remembered
from deployments.selectors.lives import jobs_that_wrote
from deployments.services.adopt import begin_readoption, keep_readoption


def look_at_memory(database: Database) -> Remembered:
    """Return what a target remembers. Raises TargetSchemaMissing, and what opening a session raises."""
    target, plane = target_of(database), ControlPlane.objects.get().pk
    with session(target) as opened:
        seen = remembered(opened, target, partial(jobs_that_wrote, database))
    if seen is None:
        wanted = installation_sql(control_plane_id=plane, database_id=database.pk)
        raise TargetSchemaMissing(target=target.name, sql=wanted)
    return seen


def readopt_database(database: Database, *, reason: str, actor: Actor) -> Remembered:
    """Mark a target as this database of this control plane, and return what it remembered before.

    Can be called again: a crash between the record and the mark leaves an audit event that tells what was found, and a
    target that is refused as before. Raises NotAllowed, ReadoptionReasonMissing, DatabaseInUse, IdentityTaken, and what
    opening a session raises.
    """
    plane = ControlPlane.objects.get().pk
    seen = look_at_memory(database)
    is_ours = seen.control_plane_id == plane
    begin_readoption(database, seen.as_evidence(), is_ours=is_ours, reason=reason, actor=actor)
    before = readopt(target_of(database), control_plane_id=plane, known=partial(jobs_that_wrote, database))
    keep_readoption(database, before.as_evidence(), reason=reason, actor=actor)
    database.refresh_from_db()
    observe_database(database, actor=actor)
    return before
