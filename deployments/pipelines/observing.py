"""Reading a target and keeping what was read."""

from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings

from checks.model.saved import to_data
from deployments.actors import Actor
from deployments.models import Database, Environment, HealthCheck, Observation
from deployments.pipelines.world import history_of
from deployments.postgres.access import Access, read_access, read_clients
from deployments.postgres.catalog import Observed, observe
from deployments.postgres.connect import ANSWERED, Session, Target, session
from deployments.postgres.errors import PrivilegeMissing
from deployments.postgres.history import HISTORIES
from deployments.postgres.lives import Remembered, remembered
from deployments.probe import Prober
from deployments.selectors.clock import database_now
from deployments.selectors.lives import jobs_that_wrote
from deployments.services.access import keep_access
from deployments.services.health import keep_version
from deployments.services.observe import keep_observation


def target_of(database: Database) -> Target:
    """Return where a database is, as plain values."""
    return Target(
        database_id=database.pk, name=str(database), connection=database.connection, owner_role=database.owner_role
    )


def rehearsal_target_of(database: Database) -> Target | None:
    """Return where backups of a database are restored and its migrations rehearsed; None if no server is named."""
    environment = database.environment
    if not environment.rehearsal_connection:
        return None
    return Target(
        database_id=database.pk,
        name=f"the rehearsal server of {environment}",
        connection=environment.rehearsal_connection,
    )


def observe_place(database: Database, *, actor: Actor) -> Observation:
    """Read a database and store that; with the first one of an environment, ask its application for its version too.

    What pages say runs there may have been replaced since the last run. Raises as `observe_database` does, and what the
    control database raises.
    """
    seen = observe_database(database, actor=actor)
    if not database.environment.databases.filter(position__lt=database.position).exists():
        observe_application(database.environment, actor=actor)
    return seen


def observe_application(environment: Environment, *, actor: Actor) -> None:
    """Keep the version that the application reports, healthy or not; without an answer what is known stays."""
    check = HealthCheck.objects.filter(environment=environment).exclude(version_path="").first()
    if check is None:
        return
    timings = settings.CONFIGURATION
    reading = Prober(timings.health_networks, timings.health_interval).ask(check.expectation())
    if reading.version:
        keep_version(environment, reading.version, actor=actor)


def observe_database(database: Database, *, actor: Actor) -> Observation:
    """Read a target and store the observation. Raises what connecting, reading and keeping raise."""
    target, begun_at = target_of(database), database_now()
    with session(target) as opened:
        seen = observe(opened, target, HISTORIES[database.environment.application.layout])
        memory = _memory(opened, target, database)
        clients, access = read_clients(opened), _access(opened, target)
    kept = keep_observed(database, seen, memory, clients=clients, begun_at=begun_at, actor=actor)
    if access is not None:
        keep_access(database, access.as_evidence())
    return kept


def _memory(opened: Session, target: Target, database: Database) -> Remembered | None:
    """Return what the target remembers of us; None where that cannot be read, which a run then names."""
    try:
        return remembered(opened, target, partial(jobs_that_wrote, database))
    except PrivilegeMissing:
        return None


def _access(opened: Session, target: Target) -> Access | None:
    """Return who may change the schema; None where the server does not answer in time, which changes nothing else."""
    try:
        return read_access(opened, target)
    except ANSWERED:
        return None


def keep_observed(
    database: Database,
    seen: Observed,
    memory: Remembered | None = None,
    *,
    clients: Any = None,
    begun_at: datetime | None = None,
    actor: Actor,
) -> Observation:
    """Store what was read of a target, and who was in it (`clients`). Raises what keeping raises.

    `begun_at` is the control database's time before it was asked.
    """
    return keep_observation(
        database,
        system_identifier=seen.identity.system_identifier,
        database_name=seen.identity.database_name,
        server_version=seen.server_version,
        connections=seen.connections,
        history=history_of(seen),
        schema=seen.snapshot,
        sizes=seen.sizes,
        model=to_data(seen.model),
        ledger=memory.as_evidence() if memory else None,
        clients=clients,
        begun_at=begun_at,
        actor=actor,
    )
