"""Reading a target and keeping what was read."""

from deployments.actors import Actor
from deployments.models import Database, Observation
from deployments.pipelines.world import history_of
from deployments.postgres.catalog import observe
from deployments.postgres.connect import Target, session
from deployments.postgres.history import HISTORIES
from deployments.services.observe import keep_observation


def target_of(database: Database) -> Target:
    """Return where a database is, as plain values."""
    return Target(
        database_id=database.pk, name=str(database), connection=database.connection, owner_role=database.owner_role
    )


def observe_database(database: Database, *, actor: Actor) -> Observation:
    """Read a target and store the observation. Raises what connecting, reading and keeping raise."""
    target = target_of(database)
    with session(target) as opened:
        seen = observe(opened, target, HISTORIES[database.environment.application.layout])
    return keep_observation(
        database,
        system_identifier=seen.identity.system_identifier,
        database_name=seen.identity.database_name,
        server_version=seen.server_version,
        connections=seen.connections,
        history=history_of(seen),
        schema=seen.schema,
        sizes=seen.sizes,
        actor=actor,
    )
