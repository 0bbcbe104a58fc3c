"""Every database a person may see: how far it is behind, when it was read, and what ran there last."""

from dataclasses import dataclass

from deployments.authority import seen_environments
from deployments.models import Application, Database, HistoryAlarm, Job, Release, User
from deployments.selectors.back_door import open_alarms, said_of
from deployments.selectors.drift import Drift, drifts_of
from deployments.selectors.history import latest_observations
from deployments.selectors.lives import Standing as Memory
from deployments.selectors.lives import standings_of
from deployments.selectors.matrix import Column, columns_of
from deployments.selectors.readings import Reading


@dataclass(frozen=True, slots=True)
class Standing:
    """One database. `release` is None if its application was never synced: then nobody knows what is missing."""

    reading: Reading
    column: Column
    release: Release | None
    last: Job | None  # that began; None if none did
    memory: Memory | None  # how its own record stands to ours; None if that was never read
    drift: Drift  # how its schema stands to what is expected of it
    alarms: tuple[HistoryAlarm, ...]  # what somebody else did to its history, and nobody has seen to

    @property
    def is_comparable(self) -> bool:
        """Whether both sides are known: it was read, and its application was synced."""
        return self.release is not None and self.column.observation is not None

    @property
    def has_drifted(self) -> bool:
        """Whether it has something that the release does not have, or has otherwise."""
        return self.is_comparable and bool(self.column.foreign or self.column.edited)

    @property
    def is_out_of_order(self) -> bool:
        """Whether something is pending that stands before what is applied: no run can be planned there."""
        return self.is_comparable and bool(self.column.early)

    @property
    def alarmed(self) -> str:
        """What the open alarms are about, in a few words."""
        return said_of(self.alarms)


def standings(user: User) -> list[Standing]:
    """Return the databases this person may see, by application, rank and position."""
    databases = list(
        Database.objects.filter(environment__in=seen_environments(user))
        .select_related("environment__application")
        .order_by("environment__application__slug", "environment__rank", "position")
    )
    read = latest_observations(databases)
    began = Job.objects.filter(database__in=databases, started_at__isnull=False).select_related("run")
    last = {job.database_id: job for job in began.order_by("database_id", "-id").distinct("database_id")}
    memories, drifts, alarms = standings_of(databases), drifts_of(databases), open_alarms(databases)
    found: list[Standing] = []
    for application in Application.objects.filter(pk__in={one.environment.application_id for one in databases}):
        ours = [one for one in databases if one.environment.application_id == application.pk]
        release, columns = columns_of(application, ours, read)
        found += [
            Standing(
                reading=Reading(one, read.get(one.pk)),
                column=column,
                release=release,
                last=last.get(one.pk),
                memory=memories.get(one.pk),
                drift=drifts[one.pk],
                alarms=tuple(alarms.get(one.pk, ())),
            )
            for one, column in zip(ours, columns, strict=True)
        ]
    return sorted(found, key=lambda one: databases.index(one.reading.database))
