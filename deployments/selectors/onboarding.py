"""Who may change the schema of a database past Locktender, as last read, and the SQL that ends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import now

from deployments.models import Database, Observation, TargetAccess
from deployments.postgres.access import Access
from deployments.postgres.closing import Closing, closings, parting_sql
from deployments.postgres.gate import gate_sql, removal_sql

LOOKED_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Client:
    """Who was in a database in the last day: a role, its application, and when it was seen last.

    `application` is None where we may not see it. `may_change` is whether the role may change the schema.
    """

    role: str
    application: str | None
    seen_at: datetime
    times: int  # in how many readings
    may_change: bool
    as_us: bool  # it signs in as the role that Locktender signs in as


@dataclass(frozen=True, slots=True)
class Onboarding:
    """How far a database is from being changed by Locktender alone."""

    access: Access
    read_at: datetime  # when it was first read so
    clients: tuple[Client, ...]
    readings: int  # in which sessions were looked at
    closings: tuple[Closing, ...]
    parting: str  # SQL for an application of its own, where one signs in as who owns the objects; ""
    gate: str
    removal: str

    @property
    def is_closed(self) -> bool:
        """Whether nobody but us and superusers may change the schema, as far as was looked."""
        return not (self.closings or self.parting)

    @property
    def names(self) -> tuple[str, ...]:
        """Who can sign in and change it."""
        return tuple(one.role.name for one in self.closings if one.role.can_sign_in)


def onboarding_of(database: Database) -> Onboarding | None:
    """Return who may change the schema of a database, None where that was never read. No target is opened."""
    kept = TargetAccess.objects.filter(database=database).order_by("-id").first()
    if kept is None:
        return None
    access = Access.of_evidence(kept.content)
    recent = Observation.objects.filter(database=database, clients__isnull=False, observed_at__gte=now() - LOOKED_BACK)
    readings = list(recent.order_by("id").only("observed_at", "clients"))
    return shown(access, kept.read_at, readings)


def shown(access: Access, read_at: datetime, readings: Sequence[Observation]) -> Onboarding:
    """Return what follows from who may change a schema, and from who was seen in the database."""
    clients = _clients(access, readings)
    by_owner = access.owner_signs_in or any(one.as_us for one in clients)
    return Onboarding(
        access=access,
        read_at=read_at,
        clients=clients,
        readings=len(readings),
        closings=closings(access),
        parting=parting_sql(access, application=f"{access.owner}_app") if by_owner else "",
        gate=gate_sql(database=access.database, roles=[access.ours]),
        removal=removal_sql(database=access.database),
    )


def _clients(access: Access, readings: Sequence[Observation]) -> tuple[Client, ...]:
    last: dict[tuple[str, str | None], tuple[datetime, int]] = {}
    for reading in readings:
        for one in reading.clients or ():
            key = (one["role"] or "", one["application"])
            last[key] = (reading.observed_at, last.get(key, (reading.observed_at, 0))[1] + 1)
    change = {one.name for one in access.roles} | {access.ours, access.owner, *access.superusers}
    found = [
        Client(role, application, at, times, may_change=role in change, as_us=role == access.ours)
        for (role, application), (at, times) in last.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.may_change, one.role, one.application or "")))
