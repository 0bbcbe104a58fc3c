"""Which migration is where: the release against every database of an application, as last observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from deployments.models import Application, Database, Job, Migration, MigrationRun, Observation, Release
from deployments.models.run import RunKind
from deployments.selectors.history import latest_observation

MOST_JOBS = 200  # of one database, newest first, to find which run applied a migration


class CellState(StrEnum):
    """What a database has of a migration."""

    APPLIED = "applied"
    EDITED = "edited"  # applied, with other bytes than the release has now
    PENDING = "pending"
    UNKNOWN = "unknown"  # the database was never read


@dataclass(frozen=True, slots=True)
class Cell:
    """One migration in one database, and the run that applied it if one of ours did."""

    state: CellState
    run: MigrationRun | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One database, when it was last read, and what it has that the release does not have."""

    database: Database
    observation: Observation | None
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One migration of the release, with a cell per database."""

    migration: Migration
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Databases as columns in the order of promotion; migrations as rows, newest first."""

    release: Release | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def matrix(application: Application) -> Matrix:
    """Return what each database of an application has of its newest release; without a release there are no rows."""
    release = application.releases.order_by("-id").first()
    listed = [entry.migration for entry in release.entries.select_related("migration")] if release else []
    databases = Database.objects.filter(environment__application=application).select_related("environment__application")
    columns = [_column(one, listed) for one in databases.order_by("environment__rank", "position")]
    runs = [_applied_by(one.database) for one in columns]
    rows = [
        Row(one, tuple(_cell(one, column, by) for column, by in zip(columns, runs, strict=True)))
        for one in reversed(listed)
    ]
    return Matrix(release, tuple(columns), tuple(rows))


def _column(database: Database, listed: Sequence[Migration]) -> Column:
    seen = latest_observation(database)
    known = {one.name for one in listed}
    foreign = tuple(entry["name"] for entry in seen.history if entry["name"] not in known) if seen else ()
    return Column(database, seen, foreign)


def _cell(migration: Migration, column: Column, applied_by: dict[str, MigrationRun]) -> Cell:
    if column.observation is None:
        return Cell(CellState.UNKNOWN)
    checksums = {entry["name"]: entry["checksum"] for entry in column.observation.history}
    if migration.name not in checksums:
        return Cell(CellState.PENDING)
    state = CellState.APPLIED if checksums[migration.name] == migration.checksum else CellState.EDITED
    return Cell(state, applied_by.get(migration.name))


def _applied_by(database: Database) -> dict[str, MigrationRun]:
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
