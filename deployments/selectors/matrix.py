"""Which migration is where: the release against every database of an application, as last observed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from checks.risk import Risk
from deployments.models import Application, Database, Environment, Job, Migration, MigrationRun, Observation, Release
from deployments.models.run import RunKind
from deployments.planning import Edit, edits_in
from deployments.selectors.classes import classes_of
from deployments.selectors.history import latest_observations

MOST_JOBS = 200  # of one database, newest first, to find which run applied a migration


class CellState(StrEnum):
    """What a database has of a migration."""

    APPLIED = "applied"
    EDITED = "edited"  # applied, with other bytes than the release has now
    PENDING = "pending"
    UNKNOWN = "unknown"  # the database was never read


@dataclass(frozen=True, slots=True)
class Cell:
    """One migration in one database: the run that applied it if one of ours did, and an open one that would."""

    state: CellState
    run: MigrationRun | None = None
    open_run: MigrationRun | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One database, when it was last read, what it has that the release does not have, and how far it is."""

    database: Database
    observation: Observation | None
    foreign: tuple[str, ...]
    pending: int
    edits: tuple[Edit, ...] = ()
    early: tuple[str, ...] = ()  # pending, and before one that is applied: out of order

    @property
    def edited(self) -> int:
        """How many migrations were edited after they were applied."""
        return len(self.edits)

    @property
    def is_as_released(self) -> bool:
        """Whether it was read, and has what the release has and nothing else."""
        return self.observation is not None and not (self.foreign or self.pending or self.edited)


@dataclass(frozen=True, slots=True)
class Row:
    """One migration of the release, its class, and a cell per database."""

    migration: Migration
    cells: tuple[Cell, ...]
    risk: Risk


@dataclass(frozen=True, slots=True)
class Matrix:
    """Databases as columns in the order of promotion; migrations as rows, newest first."""

    release: Release | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    count: int  # of all migrations of the release; `rows` may be cut


def matrix(
    application: Application, *, environments: Collection[Environment] | None = None, most: int | None = None
) -> Matrix:
    """Return what each database of an application has of its newest release; without a release there are no rows.

    `environments` leaves out the others; `most` cuts the rows to the newest.
    """
    release = application.releases.order_by("-id").first()
    listed = _listed(release)
    databases = Database.objects.filter(environment__application=application).select_related("environment__application")
    if environments is not None:
        databases = databases.filter(environment__in=environments)
    ordered = list(databases.order_by("environment__rank", "position"))
    read = latest_observations(ordered)
    columns = [_column(one, read.get(one.pk), listed) for one in ordered]
    applied = [applied_by(one.database) for one in columns]
    planned = _open_runs(application)
    shown = listed[::-1][:most]
    classes = classes_of(release, newest_reading(columns)) if release else {}
    rows = [
        Row(
            one,
            tuple(
                _cell(one, column, by, planned.get(column.database.environment_id, {}))
                for column, by in zip(columns, applied, strict=True)
            ),
            classes[one.forward_id],
        )
        for one in shown
    ]
    return Matrix(release, tuple(columns), tuple(rows), len(listed))


def newest_reading(columns: Sequence[Column]) -> Observation | None:
    """Return the reading of the database that is promoted to last: its tables are the largest. None without any."""
    return next((one.observation for one in reversed(columns) if one.observation), None)


def _listed(release: Release | None) -> list[Migration]:
    """Return the migrations of a release in order, with their application."""
    if release is None:
        return []
    return [entry.migration for entry in release.entries.select_related("migration")]


def columns_of(
    application: Application, databases: Sequence[Database], read: Mapping[int, Observation]
) -> tuple[Release | None, list[Column]]:
    """Return the newest release of an application, and how far each of these databases is, as last read."""
    release = application.releases.order_by("-id").first()
    listed = _listed(release)
    return release, [_column(one, read.get(one.pk), listed) for one in databases]


def column_of(database: Database) -> Column:
    """Return how far one database is, as last read; without a release nothing of it is pending or foreign."""
    release, (column,) = columns_of(database.environment.application, [database], latest_observations([database]))
    return column if release else replace(column, foreign=())


def _column(database: Database, seen: Observation | None, listed: Sequence[Migration]) -> Column:
    checksums = _checksums(seen)
    known = {one.name for one in listed}
    return Column(
        database=database,
        observation=seen,
        foreign=tuple(name for name in checksums if name not in known),
        pending=sum(one.name not in checksums for one in listed) if seen else 0,
        edits=tuple(edits_in(listed, seen.history, layout=database.environment.application.layout)) if seen else (),
        early=tuple(_early(listed, checksums)),
    )


def _early(listed: Sequence[Migration], applied: Collection[str]) -> list[str]:
    """Return what is pending although a later migration is applied."""
    last = max((place for place, one in enumerate(listed) if one.name in applied), default=-1)
    return [one.name for one in listed[: max(last, 0)] if one.name not in applied]


def _checksums(seen: Observation | None) -> dict[str, str]:
    return {entry["name"]: entry["checksum"] for entry in seen.history} if seen else {}


def _cell(
    migration: Migration, column: Column, applied_by: dict[str, MigrationRun], planned: dict[str, MigrationRun]
) -> Cell:
    if column.observation is None:
        return Cell(CellState.UNKNOWN, open_run=planned.get(migration.name))
    checksums = _checksums(column.observation)
    if migration.name not in checksums:
        return Cell(CellState.PENDING, open_run=planned.get(migration.name))
    state = CellState.APPLIED if checksums[migration.name] == migration.checksum else CellState.EDITED
    return Cell(state, applied_by.get(migration.name))


def _open_runs(application: Application) -> dict[int, dict[str, MigrationRun]]:
    """Return environment -> name of a migration -> the newest run that would apply it and is not over."""
    found: dict[int, dict[str, MigrationRun]] = {}
    runs = MigrationRun.objects.filter(
        environment__application=application, kind=RunKind.DEPLOY, finished_at=None
    ).order_by("number")
    for run in runs:
        found.setdefault(run.environment_id, {}).update((entry["name"], run) for entry in run.plan["migrations"])
    return found


def applied_by(database: Database) -> dict[str, MigrationRun]:
    """Return name -> the run of ours that applied it last, without what was rolled back since."""
    jobs = Job.objects.filter(database=database, applied__gt=0).select_related("run").order_by("-id")[:MOST_JOBS]
    found: dict[str, MigrationRun] = {}
    for job in reversed(jobs):
        for entry in job.run.plan["migrations"][: job.applied]:
            if job.run.kind == RunKind.ROLLBACK:
                found.pop(entry["name"], None)
            else:
                found[entry["name"]] = job.run
    return found
