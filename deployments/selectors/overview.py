"""Does anything need me now? What waits for a person, what runs, and how each environment is."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Prefetch, QuerySet
from django.utils.timezone import now

from deployments.authority import ROLES, Action, may, roles, seen_environments
from deployments.models import AuditEvent, Environment, Job, MigrationRun, Step, User
from deployments.models.run import RunKind
from deployments.selectors.drift import Drift
from deployments.selectors.lane import TAKEN_ALONE
from deployments.selectors.pausing import Resting, resting_of
from deployments.selectors.place_needs import PlaceNeed, Stands, aged, place_needs, stands_seen
from deployments.selectors.readings import newest_reading
from deployments.selectors.runs import blocking_jobs, effect_of
from deployments.selectors.waiting import Waiting, waiting_runs
from deployments.states import JobState, RunState, StepState

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Need:
    """A run that needs somebody: what it is about, why, who can do something, and whether this person can.

    `sign` is the state that a page shows.
    """

    run: MigrationRun
    sign: str
    said: str  # completes "#7 on rewards/production: "
    why: str
    who: str
    since: datetime
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Needs:
    """Everything that needs somebody; `more` runs wait besides, the newest."""

    shown: tuple[Need | PlaceNeed, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Working:
    """A run that is queued, running or paused: its job and step of this moment, and what it waits for."""

    run: MigrationRun
    job: Job | None
    step: Step | None
    behind: MigrationRun | None
    resting: Resting | None

    @property
    def subject(self) -> str:
        """What the run is about, in a few words."""
        return subject_of(self.run)

    @property
    def count(self) -> int:
        """Which one of `of` the step is at; 0 if it does not count."""
        told = self.step.progress if self.step else {}
        return next((told[name] for name in ("number", "probe", "check") if isinstance(told.get(name), int)), 0)

    @property
    def done(self) -> int:
        """How many of `of` are behind it."""
        return max(0, self.count - 1)

    @property
    def of(self) -> int:
        """How much there is for the step to do; 0 if it does not count."""
        total = self.step.progress.get("of") if self.step else 0
        return total if isinstance(total, int) else 0


@dataclass(frozen=True, slots=True)
class Place:
    """An environment: its last run that is over, its last good one, its open ones, and those of the last 24 hours.

    `schemas` is how each of its databases stands to what is expected of it.
    """

    environment: Environment
    last: MigrationRun | None
    last_success: MigrationRun | None
    open: tuple[MigrationRun, ...]
    day: tuple[MigrationRun, ...]
    schemas: tuple[Drift, ...] = ()

    @property
    def drifted(self) -> int:
        """How many of its databases differ from what is expected."""
        return sum(one.is_drifted for one in self.schemas)

    @property
    def unknown(self) -> int:
        """Of how many of its databases nobody can say it."""
        return sum(one.is_unknown for one in self.schemas)


def changed_at(user: User) -> str:
    """Return what differs whenever something of the overview may: nothing of it changes without one of these."""
    return "-".join(
        str(newest or 0)
        for newest in (
            AuditEvent.objects.aggregate(newest=Max("seq"))["newest"],
            newest_reading(),
            aged(),
            user.pk,
        )
    )


def needs(user: User, stands: Stands | None = None) -> Needs:
    """Return what needs somebody, most urgent first: what this person can do something about, then the rest.

    In both, first runs in doubt, which hold their databases, then databases that somebody changed past us, then failed
    runs that nothing came after, then those that wait for a decision or their start, oldest first. Last, for a
    day, ways back that nobody else was asked about. `stands` is what `stands_seen` returns; None has it read here.
    """
    seen = seen_environments(user)
    runs = _runs(seen)
    doubtful = [_doubtful(user, run) for run in runs.filter(state=RunState.NEEDS_ATTENTION).order_by("number")]
    failed = [_failed(user, run) for run in _last_failures(runs)]
    waiting = waiting_runs(user)
    asked = [_asked_for(one) for one in waiting.shown]
    changed = place_needs(user, stands_seen(user) if stands is None else stands)
    found: list[Need | PlaceNeed] = [*doubtful, *changed, *failed, *asked]
    found += _taken_alone(user, runs)
    return Needs(tuple(sorted(found, key=lambda one: not one.is_mine)), waiting.more)


def working(user: User) -> list[Working]:
    """Return what is queued, running or paused, oldest first."""
    steps = Prefetch("jobs__steps", Step.objects.filter(state=StepState.RUNNING))
    runs = _runs(seen_environments(user)).filter(state__in=[RunState.QUEUED, RunState.RUNNING]).order_by("number")
    at_work = list(runs.select_related("pause_requested_by").prefetch_related(steps))
    holders = blocking_jobs({job.database_id for run in at_work for job in run.jobs.all()})
    return [_working(run, holders) for run in at_work]


def places(user: User, stands: Stands | None = None) -> list[Place]:
    """Return the environments this person may see, by application and rank. `stands` as in `needs`."""
    environments = list(seen_environments(user).select_related("application").order_by("application__slug", "rank"))
    runs = _runs(environments)
    over = runs.exclude(kind=RunKind.REHEARSAL)
    last = _newest(over.filter(state__in=[RunState.SUCCEEDED, RunState.FAILED]))
    good = _newest(over.filter(state=RunState.SUCCEEDED))
    still = list(runs.filter(finished_at=None).order_by("number"))
    day = list(runs.filter(finished_at__gte=now() - DAY).order_by("number"))
    schemas = stands_seen(user) if stands is None else stands
    return [
        Place(
            environment=one,
            last=last.get(one.pk),
            last_success=good.get(one.pk),
            open=tuple(run for run in still if run.environment_id == one.pk),
            day=tuple(run for run in [*day, *still] if run.environment_id == one.pk and begun_at(run)),
            schemas=tuple(stand for place, stand in schemas.items() if place.environment_id == one.pk),
        )
        for one in environments
    ]


def begun_at(run: MigrationRun) -> datetime | None:
    """Return when the first job of a run began, or None."""
    return min((job.started_at for job in run.jobs.all() if job.started_at), default=None)


def subject_of(run: MigrationRun) -> str:
    """Return what a run is about, in a few words: what it applies, or what it takes back."""
    names = [entry["name"] for entry in run.plan["migrations"]]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    verb = "roll back " if run.kind == RunKind.ROLLBACK else ""
    return f"{verb}{names[0]}{more}" if names else run.get_kind_display().lower()


def _runs(environments: QuerySet[Environment] | Collection[Environment]) -> QuerySet[MigrationRun]:
    jobs = Prefetch("jobs", Job.objects.select_related("database", "run"))
    found = MigrationRun.objects.filter(environment__in=environments)
    return found.select_related("environment__application", "requested_by").prefetch_related(jobs)


def _newest(runs: QuerySet[MigrationRun]) -> dict[int, MigrationRun]:
    newest = runs.order_by("environment_id", "-number").distinct("environment_id")
    return {run.environment_id: run for run in newest}


def _last_failures(runs: QuerySet[MigrationRun]) -> list[MigrationRun]:
    """Return the failed runs that no other came after in their environment: none that ended, none that is open."""
    came = runs.exclude(kind=RunKind.REHEARSAL).exclude(
        state__in=[RunState.CANCELLED, RunState.REJECTED, RunState.SUPERSEDED]
    )
    return [run for run in _newest(came).values() if run.state == RunState.FAILED]


def _who(action: Action) -> str:
    names = sorted(role.label for role in ROLES[action])
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _doubtful(user: User, run: MigrationRun) -> Need:
    job = next((one for one in run.jobs.all() if one.state == JobState.NEEDS_ATTENTION), None)
    return Need(
        run=run,
        sign=RunState.NEEDS_ATTENTION,
        said="we do not know what the database did",
        why=job.error if job else "Look, then run it again or give it up.",
        who=_who(Action.RESOLVE),
        since=(job.heartbeat_at if job else None) or run.created_at,
        is_mine=bool(may(user, Action.RESOLVE, run)),
    )


def _failed(user: User, run: MigrationRun) -> Need:
    job = next((one for one in run.jobs.all() if one.state == JobState.FAILED), None)
    can_go_back = run.kind == RunKind.DEPLOY and any(one.applied for one in run.jobs.all())
    return Need(
        run=run,
        sign=RunState.FAILED,
        said=effect_of(job) if job else "nothing applied",
        why=job.error if job else "",
        who=_who(Action.ROLL_BACK if can_go_back else Action.REQUEST),
        since=run.finished_at or run.created_at,
        is_mine=run.requested_by_id == user.pk or (can_go_back and bool(may(user, Action.ROLL_BACK, run))),
    )


def _taken_alone(user: User, runs: QuerySet[MigrationRun]) -> Iterator[Need]:
    """Yield the ways back of the last day that one person, or the policy, took without a second one.

    To those who would have been asked, but not to whom it was done in the name of.
    """
    told = AuditEvent.objects.filter(action=TAKEN_ALONE, at__gte=now() - DAY).values_list("object_id", flat=True)
    for run in runs.filter(pk__in=[int(one) for one in told]).exclude(requested_by=user).order_by("number"):
        if set(roles(user, run)) & ROLES[Action.DECIDE]:
            by_itself = bool(run.plan["lane"]["automatic"])
            yield Need(
                run=run,
                sign="rolled-back",
                said="rolled back by itself" if by_itself else f"{run.requested_by} rolls back alone",
                why="Nobody else was asked: a rehearsal restored everything, and what is lost was accepted.",
                who=_who(Action.DECIDE),
                since=run.created_at,
                is_mine=True,
            )


def _asked_for(waiting: Waiting) -> Need:
    wants_people = waiting.wants_people
    ready = "Everything that was asked for is there. It starts when somebody presses Start."
    risk = str(waiting.run.plan["class"]).capitalize()
    action = Action.DECIDE if wants_people else Action.REQUEST
    return Need(
        run=waiting.run,
        sign=RunState.AWAITING if wants_people else "waiting" if waiting.unmet else "ready",
        said=subject_of(waiting.run),
        why=f"{risk}. {' '.join(one.text for one in waiting.unmet) or ready}",
        who=_who(action) if wants_people or not waiting.unmet else "",
        since=waiting.run.created_at,
        is_mine=waiting.is_wanted or waiting.may_start,
    )


def _working(run: MigrationRun, holders: Mapping[int, Job]) -> Working:
    jobs: Iterable[Job] = [job for job in run.jobs.all() if job.state in {JobState.QUEUED, JobState.RUNNING}]
    job = next((one for one in jobs if one.state == JobState.RUNNING), None) or next(iter(jobs), None)
    step = next(iter(job.steps.all()), None) if job else None
    holder = holders.get(job.database_id) if job and job.state == JobState.QUEUED else None
    if holder and holder.run_id == run.pk:  # resumed: it waits behind nobody, it has kept its own slot
        holder = None
    return Working(run, job, step, holder.run if holder else None, resting_of(run, run.jobs.all()))
