"""Does anything need me now? What waits for a person, what runs, and how each environment is."""

from collections.abc import Iterable
from dataclasses import dataclass

from checks.policy import Unmet
from deployments.authority import Action, may
from deployments.models import Environment, MigrationRun, User
from deployments.models.run import RunKind
from deployments.selectors.runs import unmet_of
from deployments.states import RunState

MOST_WAITING = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits for somebody, why, and whether this person can do something about it."""

    run: MigrationRun
    unmet: tuple[Unmet, ...]
    may_decide: bool
    may_start: bool


@dataclass(frozen=True, slots=True)
class Place:
    """An environment: its last run that is over, and its open ones."""

    environment: Environment
    last: MigrationRun | None
    open: tuple[MigrationRun, ...]


def waiting_runs(user: User) -> list[Waiting]:
    """Return the runs that await a decision or their start and that this person may see, those for them first."""
    runs = _seen(user, MigrationRun.objects.filter(state=RunState.AWAITING).order_by("number")[:MOST_WAITING])
    found = [_waiting(user, run) for run in runs]
    return sorted(found, key=lambda one: not (one.may_decide or one.may_start))


def needing_attention(user: User) -> list[MigrationRun]:
    """Return what a person must look at, newest first: runs in doubt, and failed runs that nothing came after."""
    doubtful = MigrationRun.objects.filter(state=RunState.NEEDS_ATTENTION).order_by("-number")
    ended = [place.last for place in places(user) if place.last is not None and place.last.state == RunState.FAILED]
    return _seen(user, doubtful) + ended


def running_runs(user: User) -> list[MigrationRun]:
    """Return what is queued or running, oldest first."""
    states = [RunState.QUEUED, RunState.RUNNING]
    return _seen(user, MigrationRun.objects.filter(state__in=states).order_by("number"))


def places(user: User) -> list[Place]:
    """Return the environments this person may see, by application and rank."""
    environments = Environment.objects.select_related("application").order_by("application__slug", "rank")
    return [_place(one) for one in environments if may(user, Action.VIEW, one)]


def _place(environment: Environment) -> Place:
    runs = environment.runs.select_related("environment__application", "requested_by").order_by("-number")
    ended = [RunState.SUCCEEDED, RunState.FAILED]
    return Place(
        environment=environment,
        last=runs.filter(state__in=ended).exclude(kind=RunKind.REHEARSAL).first(),
        open=tuple(runs.filter(finished_at=None)),
    )


def _seen(user: User, runs: Iterable[MigrationRun]) -> list[MigrationRun]:
    return [run for run in runs if may(user, Action.VIEW, run)]


def _waiting(user: User, run: MigrationRun) -> Waiting:
    unmet = unmet_of(run)
    wants_people = any(one.rule.startswith("approval-") for one in unmet)
    return Waiting(
        run=run,
        unmet=unmet,
        may_decide=wants_people and bool(may(user, Action.DECIDE, run)),
        may_start=not unmet and bool(may(user, Action.REQUEST, run)),
    )
