"""What was read from the targets of an environment, and how old it is."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Max
from django.utils.timezone import now

from checks.model.saved import NUMBERS_PER_MAJOR
from deployments.models import Database, Environment, Observation
from deployments.selectors.history import latest_observations

TOO_OLD = timedelta(hours=1)
"""A reading that is older says nothing of now. Targets are read every five minutes."""
FRESH = timedelta(minutes=15)
"""Targets are read every five minutes: a reading older than this says that something keeps them from being read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One database and the newest that is known of it."""

    database: Database
    observation: Observation | None

    @property
    def is_aged(self) -> bool:
        """Whether it is older than it should be."""
        return self.observation is not None and now() - self.observation.observed_at > FRESH

    @property
    def server(self) -> str:
        """The version of the server as people write it: 16.9."""
        if self.observation is None:
            return ""
        major, minor = divmod(self.observation.server_version, NUMBERS_PER_MAJOR)
        return f"{major}.{minor}"


def readings_of(environment: Environment) -> list[Reading]:
    """Return the databases of an environment in their order, each with its newest reading."""
    databases = list(environment.databases.order_by("position"))
    read = latest_observations(databases)
    return [Reading(one, read.get(one.pk)) for one in databases]


def newest_reading() -> int:
    """Return the number of the newest reading of any target; 0 before the first."""
    return Observation.objects.aggregate(newest=Max("pk"))["newest"] or 0
