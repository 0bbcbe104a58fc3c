"""Whether a target knows more than the control database, from what was last read of it: lives that were lost."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from deployments.models import ControlPlane, Database, Job, Observation
from deployments.selectors.rail import MIGRATE

STOP_WRITES = "stop writes"  # of a restore: who stopped them is a row in the target


def jobs_that_wrote(database: Database) -> set[int]:
    """Return the jobs that may have written history into this database: those that began to migrate.

    Asked of the control database as it is now. A job is recorded to migrate before its first write, so one that a
    target knows and that is not in here is of another life, or of another database.
    """
    return _jobs_by_database([database])[database.pk]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wrong with the mark and the memory of a target. `code` is that of the refusal a run would get, or ""."""

    code: str
    say: str
    seen: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The history rows that no job of this control database wrote here, newest first."""
        return [row | {"at": datetime.fromisoformat(row["at"])} for row in self.seen["rows"]]

    @property
    def is_refused(self) -> bool:
        """Whether every run there is refused until it is re-adopted."""
        return bool(self.code)


def standing_of(database: Database) -> Standing | None:
    """Return how a target stands to this control database as last read; None where nothing was read of it."""
    return standings_of([database]).get(database.pk)


def standings_of(databases: Collection[Database]) -> dict[int, Standing]:
    """Return by database how those that were read stand to this control database, in a fixed number of queries."""
    read = Observation.objects.filter(database__in=databases, ledger__isnull=False).order_by("database_id", "-id")
    newest = read.distinct("database_id").only("database_id", "ledger")
    told = {one.database_id: one.ledger for one in newest if one.ledger is not None}
    if not told:
        return {}
    jobs, last, plane = _jobs_by_database(databases), _last_fence(), str(ControlPlane.objects.get().pk)
    return {
        pk: Standing(*_refusal(pk, one, plane=plane, last_fence=last, jobs=jobs[pk]), one) for pk, one in told.items()
    }


def _refusal(pk: int, told: dict[str, Any], *, plane: str, last_fence: int, jobs: set[int]) -> tuple[str, str]:
    """Return the refusal that a run would get, in the order in which an executor asks, and what it would say."""
    marked, found = _place(told["marked"]), _place(told["found"])
    if marked != found:
        return "copied-database", f"It is a copy: marked as {marked}, but is {found}."
    if told["control_plane"] != plane:
        return "other-control-plane", "Another installation of Locktender manages it."
    if told["database"] != pk:
        return "copied-database", f"It is a copy: marked as database {told['database']} here, but is database {pk}."
    if told["fence"] > last_fence:
        seen = told["fence"]
        return "fence-ahead", f"It has seen fence {seen}, and this control database has given out {last_fence}."
    if unknown := set(told["unknown"]) - jobs:
        count = "a job" if len(unknown) == 1 else f"{len(unknown)} jobs"
        return "fence-ahead", f"It has history of {count} that this control database never ran there."
    return "", "It is marked as ours, and knows nothing that we do not know."


def _jobs_by_database(databases: Collection[Database]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {one.pk: set() for one in databases}
    began = Job.objects.filter(database__in=databases, steps__name__in=[MIGRATE, STOP_WRITES])
    for pk, job in began.values_list("database_id", "pk"):
        found[pk].add(job)
    return found


def _place(where: dict[str, str]) -> str:
    return f"{where['name']} of system {where['system']}"


def _last_fence() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(pg_sequence_last_value('deployments_fence'), 0)")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
