"""What a person reads before they roll a run back: what it left, what the scripts destroy, and what is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from checks.losses import Losses, losses
from deployments.models import Backup, Job, Migration, MigrationRun, Observation, Step
from deployments.models.backup import BackupScope
from deployments.models.run import RunKind
from deployments.selectors.history import latest_observations
from deployments.selectors.pausing import pause_of
from deployments.selectors.runs import effect_of, failed_afterwards, reverting
from deployments.states import RUN_ACTIVE, RunState

PRISMA = "prisma"
BEGUN = RUN_ACTIVE - {RunState.AWAITING}


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left in one database: in its own words, and what of it is applied now, as last read."""

    job: Job
    effect: str
    applied_now: int | None  # None if the database was never read
    planned: int
    observation: Observation | None
    is_old: bool  # not read since the last step of the job ended


@dataclass(frozen=True, slots=True)
class WayBack:
    """Everything around the way back from one run, apart from its plan."""

    run: MigrationRun
    left: tuple[Left, ...]
    took: timedelta | None  # the jobs of the run together
    backups: tuple[Backup, ...]
    open_back: MigrationRun | None  # a way back that is not over
    done_back: MigrationRun | None
    restored: tuple[str, ...]  # what that one said of the schema, for each database
    is_prisma: bool
    is_resting: bool = False  # it is paused, and the way back takes over its slot

    @property
    def closed(self) -> str:
        """Why nobody can roll back this run now whatever their role, "" if the scripts alone decide."""
        if self.run.kind != RunKind.DEPLOY:
            return f"Run {self.run} is itself a way back. Deploy again instead."
        if self.done_back is not None:
            why = failed_afterwards(self.done_back)
            return f"Run {self.done_back}{why}{',' if why else ''} has rolled it back already."
        if self.open_back is not None:
            return f"Run {self.open_back} is the way back already, and is not over."
        if self.run.state in BEGUN and not self.is_resting:
            word = RunState(self.run.state).label.lower()
            return f"Run {self.run} is {word}. Pause or cancel it, or let it end first, then come back."
        return ""


def way_back(run: MigrationRun) -> WayBack:
    """Return what surrounds the way back from a run. No target is opened."""
    jobs = list(
        run.jobs.select_related("database").annotate(last_step_at=Max("steps__finished_at")).order_by("position")
    )
    read = latest_observations(job.database for job in jobs)
    names = [entry["name"] for entry in run.plan["migrations"]]
    times = [job.finished_at - job.started_at for job in jobs if job.started_at and job.finished_at]
    backs = list(run.reverted_by.prefetch_related("jobs").order_by("-number"))
    done = reverting(backs)
    for job in jobs:
        job.run = run
    return WayBack(
        run=run,
        left=tuple(_left(job, read.get(job.database_id), names, job.last_step_at) for job in jobs),
        took=sum(times, timedelta()) if times else None,
        backups=tuple(
            Backup.objects.filter(job__run=run, scope=BackupScope.DATABASE)
            .select_related("job__database")
            .order_by("id")
        ),
        open_back=next((one for one in backs if one.state in RUN_ACTIVE), None),
        done_back=done,
        restored=tuple(_restored(done)) if done else (),
        is_resting=(pause := pause_of(run)) is not None and pause.is_resting,
        is_prisma=run.environment.application.layout == PRISMA,
    )


def destroyed_by(migrations: Sequence[Migration]) -> Losses:
    """Return what the rollback scripts of these migrations destroy, in this order, as far as their text tells."""
    return losses((one.name, one.rollback.text()) for one in migrations if one.rollback is not None)


def _restored(back: MigrationRun) -> Iterator[str]:
    """Yield what a way back found when it compared the schema with the one before the run."""
    noted = Step.objects.filter(job__run=back, evidence__schema__has_key="sentence")
    for step in noted.select_related("job__database").order_by("job__position", "attempt"):
        yield f"{step.job.database.name}: {step.evidence['schema']['sentence']}"


def _left(job: Job, seen: Observation | None, names: Sequence[str], last_step_at: datetime | None) -> Left:
    applied = {entry["name"] for entry in seen.history} if seen else set()
    return Left(
        job=job,
        effect=effect_of(job),
        applied_now=sum(name in applied for name in names) if seen else None,
        planned=len(names),
        observation=seen,
        is_old=seen is None or (last_step_at is not None and seen.observed_at < last_step_at),
    )
