"""Keeping what a worker read from a target."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from checks.schema import Snapshot
from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import Database, Job, Observation, PeriodicTask
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.back_door import raise_alarms
from deployments.services.drift import settle_expected
from deployments.services.snapshots import keep_snapshot

OBSERVE_DATABASES = "observe-databases"
"""The periodic task that reads the targets."""


class IsControlDatabase(DeploymentError):
    """The target is the database Locktender itself lives in."""

    code = "is-control-database"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"{database} leads to Locktender's own control database. Nothing was changed there, and nothing runs "
            "there. Correct the connection."
        )


class IdentityMoved(DeploymentError):
    """A connection now leads to another database than before."""

    code = "identity-moved"

    def __init__(self, *, database: str, before: str, found: str) -> None:
        super().__init__(
            f"{database} was {before} and is now {found}. Nothing was changed there, and nothing runs there. "
            "If the connection was changed on purpose, add the new place as a database of its own."
        )


class DatabaseInUse(DeploymentError):
    """A run that is not over works on the database."""

    code = "database-in-use"

    def __init__(self, *, database: str, number: int) -> None:
        super().__init__(
            f"Run #{number} on {database} is not over. Nothing was changed. Wait for it, cancel it or resolve it first."
        )


class IdentityTaken(DeploymentError):
    """Two entries lead to one server database."""

    code = "identity-taken"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"{database} leads to a server database that another entry already stands for. Nothing was changed there. "
            "Correct the connection of one of the two: two writers in one database are refused."
        )


def history_hash(history: Sequence[Mapping[str, str]]) -> str:
    """Return the SHA-256 of a layout's history: the applied names and checksums in order."""
    return hashlib.sha256(json.dumps([dict(one) for one in history], sort_keys=True).encode()).hexdigest()


def keep_observation(
    database: Database,
    *,
    system_identifier: str,
    database_name: str,
    server_version: int,
    connections: int,
    history: Sequence[Mapping[str, str]],
    schema: Snapshot,
    sizes: Mapping[str, Any],
    model: Any = None,
    ledger: Any = None,
    clients: Any = None,
    begun_at: datetime | None = None,
    actor: Actor,
) -> Observation:
    """Store what was read and return it. The first observation settles which server database the entry stands for.

    `model` is the schema as `checks.model.saved.to_data` gives it, `ledger` what the target remembers of us,
    `clients` who was in it, `begun_at` the control database's time before it was asked. A history that somebody else
    changed raises an alarm.
    Raises IsControlDatabase, IdentityMoved if it leads elsewhere since, IdentityTaken if another entry stands for that
    place.
    """
    if (system_identifier, database_name) == _own_identity():
        raise IsControlDatabase(database=str(database))
    with transaction.atomic():
        held = Database.objects.select_for_update().get(pk=database.pk)
        if not held.system_identifier:
            settle_identity(held, system_identifier, database_name, actor=actor)
        elif (held.system_identifier, held.database_name) != (system_identifier, database_name):
            raise IdentityMoved(
                database=str(held),
                before=f"{held.database_name} of system {held.system_identifier}",
                found=f"{database_name} of system {system_identifier}",
            )
        kept = Observation.objects.create(
            database=held,
            system_identifier=system_identifier,
            database_name=database_name,
            server_version=server_version,
            connections=connections,
            history=list(history),
            history_hash=history_hash(history),
            schema={},
            snapshot=keep_snapshot(schema),
            fingerprint=schema.fingerprint,
            sizes=dict(sizes),
            model=model,
            ledger=ledger,
            clients=clients,
            begun_at=begun_at,
        )
        settle_expected(kept)
        raise_alarms(kept, actor=actor)
        return kept


def _own_identity() -> tuple[str, str]:
    """Return the system identifier and name of the control database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text, current_database()::text FROM pg_control_system()")
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 # one control file
    return row[0], row[1]


def request_observation() -> None:
    """Have every target read as soon as a dispatcher and a worker can. Nothing is read here."""
    with transaction.atomic():
        PeriodicTask.objects.update_or_create(name=OBSERVE_DATABASES, defaults={"next_due_at": Now()})
        announce_sweep()


def require_idle(database: Database) -> None:
    """Raise DatabaseInUse if a run has begun with this database, or is about to."""
    if job := Job.objects.filter(database=database, finished_at=None).select_related("run").first():
        raise DatabaseInUse(database=str(database), number=job.run.number)


def settle_identity(database: Database, system_identifier: str, database_name: str, *, actor: Actor) -> None:
    """Store which server database an entry stands for, in the caller's transaction. Raises IdentityTaken."""
    database.system_identifier, database.database_name = system_identifier, database_name
    try:
        with transaction.atomic():
            database.save(update_fields=["system_identifier", "database_name"])
    except IntegrityError as taken:
        raise IdentityTaken(database=str(database)) from taken
    record(actor, "database.identified", database, after={"system": system_identifier, "name": database_name})
