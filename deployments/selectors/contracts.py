"""Whether the time has come for migrations that take away what an earlier one made superfluous."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.utils import timezone

from checks.context import DEFAULT_VERSION, World
from checks.model import EMPTY
from checks.phases import Applied, Contract, contracts_of, require_ready
from checks.policy import Requirements
from checks.project.following import before_first
from deployments.judging import contexts_of
from deployments.models import Environment, Migration, Release
from deployments.selectors.history import latest_observation
from deployments.selectors.matrix import applied_by

LONG_AGO = datetime.min.replace(tzinfo=UTC)  # applied before anything was recorded here
KEPT = 32  # releases whose contracts are remembered; a release never changes


def require_time_for_contracts(
    environment: Environment, release: Release, planned: Sequence[Migration], needs: Requirements
) -> tuple[Contract, ...]:
    """Return the contracts among the planned migrations when all of them may run in an environment now.

    Where neither that is asked, nor anything is applied that an application could miss, none is looked at. Raises
    ContractTooEarly.
    """
    if needs.contract_soak_seconds is None:
        return ()
    applied = _applied(environment, release)
    names = {one.name for one in planned}
    asked = tuple(one for one in contracts_in(release.pk, release.digest) if one.migration in names)
    if not any(since is not None for since in applied.since.values()):
        return ()
    if asked:
        require_ready(asked, applied, now=timezone.now(), soak=timedelta(seconds=needs.contract_soak_seconds))
    return asked


@lru_cache(maxsize=KEPT)
def contracts_in(release_id: int, _digest: str) -> tuple[Contract, ...]:
    """Return the contracts of a release with this digest, each with the migration that is its expand."""
    entries = Release.objects.get(pk=release_id).entries.select_related("migration__forward")
    texts = [(one.migration.name, one.migration.forward.text()) for one in entries]
    start = before_first(texts[0][1], DEFAULT_VERSION) if texts else EMPTY
    return contracts_of(contexts_of(texts, World(start)))


def _applied(environment: Environment, release: Release) -> Applied:
    """Return since when every database of an environment has each migration, and the application's version there."""
    since: dict[str, datetime | None] = {
        one.migration.name: LONG_AGO for one in release.entries.select_related("migration")
    }
    for database in environment.databases.order_by("position"):
        observation = latest_observation(database)
        has = {entry["name"] for entry in observation.history} if observation else set()
        runs = applied_by(database)
        for name, before in since.items():
            if name not in has:
                since[name] = None
            elif before is not None and name in runs:
                since[name] = max(before, runs[name].finished_at or timezone.now())
    return Applied(since, environment.application_version or None)
