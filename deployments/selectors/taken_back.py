"""Migrations that a run of ours took back while the release still has them: whoever applies next applies them again."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from deployments.models import Database, Job, MigrationRun, Release
from deployments.models.run import RunKind
from deployments.selectors.history import latest_observations

MOST_JOBS = 200  # of one database, newest first


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was taken back in one database and is still in the release, in its order."""

    database: Database
    names: tuple[str, ...]
    by: tuple[MigrationRun, ...]  # the runs that took it back
    tool: str  # the command of the team's own tool that would apply it, "" if the layout has none


TOOLS = {"prisma": "prisma migrate deploy"}


def taken_back(databases: Iterable[Database]) -> tuple[TakenBack, ...]:
    """Return for each of these databases of one application what would be applied again; without those of nothing."""
    places = list(databases)
    if not places:
        return ()
    application = places[0].environment.application
    release = Release.objects.filter(application=application).order_by("-id").first()
    listed = list(release.entries.values_list("migration__name", flat=True)) if release else []
    read = latest_observations(places)
    found = []
    for database in places:
        seen = read.get(database.pk)
        applied = {one["name"] for one in seen.history} if seen else set()
        last = _last_deeds(database)
        names = [one for one in listed if seen is not None and one not in applied and one in last]
        runs = {last[one].pk: last[one] for one in names}
        if names:
            by = tuple(sorted(runs.values(), key=lambda run: run.number))
            found.append(TakenBack(database, tuple(names), by, TOOLS.get(application.layout, "")))
    return tuple(found)


def taken_back_around(run: MigrationRun, backs: Collection[MigrationRun]) -> tuple[TakenBack, ...]:
    """Return what of a run would be applied again, where `backs` took it back, or it is itself a way back."""
    reverted = run if run.kind == RunKind.DEPLOY else run.reverts
    if reverted is None or (run.kind == RunKind.DEPLOY and not backs):
        return ()
    names = {entry["name"] for entry in reverted.plan["migrations"]}
    databases = Database.objects.filter(jobs__run=reverted).select_related("environment__application").distinct()
    found = []
    for one in taken_back(databases.order_by("position")):
        ours = tuple(name for name in one.names if name in names)
        if ours:
            found.append(TakenBack(one.database, ours, one.by, one.tool))
    return tuple(found)


def _last_deeds(database: Database) -> dict[str, MigrationRun]:
    """Return name -> the way back that did something with this migration last; none where a deploy did."""
    jobs = Job.objects.filter(database=database, writes=True, started_at__isnull=False).select_related("run__reverts")
    last: dict[str, MigrationRun | None] = {}
    for job in jobs.select_related("kept").order_by("-id")[:MOST_JOBS]:
        run = job.run
        if run.kind == RunKind.RESTORE:
            reverted = run.reverts if hasattr(job, "kept") else None
            names = [entry["name"] for entry in reverted.plan["migrations"]] if reverted else []
        else:
            names = [entry["name"] for entry in run.plan["migrations"][: job.applied]]
        for name in names:
            last.setdefault(name, None if run.kind == RunKind.DEPLOY else run)
    return {name: run for name, run in last.items() if run is not None}
