"""Who may do what: one table of roles per action, and one function that answers with its reason."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import (
    Application,
    Approval,
    Backup,
    Contact,
    Database,
    Environment,
    Grant,
    HealthCheck,
    Job,
    Migration,
    MigrationRun,
    Observation,
    Policy,
    Release,
    RunAuthor,
    SessionEnd,
    Step,
    StepLog,
    User,
)
from deployments.models.grant import Role
from deployments.models.run import WAYS_BACK
from deployments.states import RUN_ACTIVE, RunState


class Action(StrEnum):
    """What a person may want to do. The value completes "You may not …"."""

    VIEW = "view this"
    SYNC = "read its migrations from the source"
    REPORT_TESTS = "report the results of its tests"
    REQUEST = "request a run"
    DECIDE = "approve or reject this run"
    CANCEL = "cancel this run"
    PAUSE = "pause or resume this run"
    END_SESSION = "end a session that stands in its way"
    ROLL_BACK = "roll back this run"
    RESTORE = "restore what this run kept"
    RESTORE_TABLES = "put tables of a backup beside those of now"
    RESOLVE = "decide how this run goes on"
    CONFIRM = "confirm that this migration is applied"
    READOPT = "re-adopt this database"
    ACCEPT_DRIFT = "accept how this database differs"
    END_ALARM = "end an alarm about this database"
    IGNORE_IN_DRIFT = "say what is ignored in its schemas"
    DRAIN = "drain this installation"
    HOLD_BACKUP = "say how long its backups stay"
    MANAGE_APPLICATION = "change its environments and databases"
    MANAGE_POLICY = "change its policy"
    MANAGE_PEOPLE = "change who holds which role"
    READ_AUDIT = "read the audit log"


ROLES: dict[Action, frozenset[Role]] = {
    Action.VIEW: frozenset(Role),
    Action.SYNC: frozenset({Role.DEVELOPER, Role.DBA}),
    Action.REPORT_TESTS: frozenset({Role.DEVELOPER, Role.DBA}),
    Action.REQUEST: frozenset({Role.DEVELOPER, Role.DBA, Role.ON_CALL}),
    Action.DECIDE: frozenset({Role.DBA, Role.ARCHITECT}),
    Action.CANCEL: frozenset({Role.DEVELOPER, Role.DBA, Role.ON_CALL}),
    Action.PAUSE: frozenset({Role.DEVELOPER, Role.DBA, Role.ON_CALL}),
    # It takes somebody else's work away: who answers for the database, or for its being up.
    Action.END_SESSION: frozenset({Role.DBA, Role.ON_CALL}),
    Action.ROLL_BACK: frozenset({Role.DBA, Role.ON_CALL}),
    Action.RESTORE: frozenset({Role.DBA, Role.ON_CALL}),
    Action.RESTORE_TABLES: frozenset({Role.DBA}),
    Action.RESOLVE: frozenset({Role.DBA, Role.ON_CALL}),
    Action.CONFIRM: frozenset({Role.DBA}),
    Action.READOPT: frozenset({Role.DBA}),
    Action.ACCEPT_DRIFT: frozenset({Role.DBA}),
    Action.END_ALARM: frozenset({Role.DBA}),
    Action.IGNORE_IN_DRIFT: frozenset({Role.DBA}),
    Action.DRAIN: frozenset({Role.ADMINISTRATOR, Role.DBA}),
    Action.HOLD_BACKUP: frozenset({Role.DBA, Role.AUDITOR, Role.ADMINISTRATOR}),
    Action.MANAGE_APPLICATION: frozenset({Role.ADMINISTRATOR, Role.DBA}),
    Action.MANAGE_POLICY: frozenset({Role.DBA, Role.ARCHITECT}),
    Action.MANAGE_PEOPLE: frozenset({Role.ADMINISTRATOR}),
    Action.READ_AUDIT: frozenset({Role.AUDITOR, Role.DBA}),
}


MAY_HAVE_RUN = frozenset(
    {RunState.RUNNING, RunState.NEEDS_ATTENTION, RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}
)
"""A run in one of these states can have changed its databases."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, and why, in words a page can show."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def may(user: User, action: Action, subject: Model | None = None, *, held: Collection[Grant] | None = None) -> Decision:
    """Return whether this person may do this to this object now.

    `subject` is an application, an environment, or something of theirs; None asks about the whole installation.
    `held` are all grants of this person, from a list that asks about many objects at once; None has them read here.
    Rights come from grants alone: Django's `is_superuser` opens nothing.
    """
    if not user.is_active:
        return Decision(allowed=False, reason="This account is closed. Ask an administrator to open it.")
    fitting = sorted(set(roles(user, subject, held=held)) & ROLES[action])
    if not fitting:
        return Decision(
            allowed=False,
            reason=f"You may not {action.value}: that takes the role {_either(ROLES[action])}{_where(subject)}.",
        )
    if (run := _run_of(subject)) and (refusal := _refusal_by_run(user, action, run, fitting)):
        return Decision(allowed=False, reason=refusal)
    return Decision(allowed=True, reason=f"You hold the role {_either(fitting)}{_where(subject)}.")


class NotAllowed(DeploymentError):
    """The person may not do this; the reason says which role may, or why nobody can."""

    code = "not-allowed"

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"{reason} Nothing was changed.")


def require(actor: Actor, action: Action, subject: Model | None = None) -> User:
    """Return the person who acts, if they may. Raises NotAllowed."""
    if actor.user is None:
        raise NotAllowed(reason=f"Only a person may {action.value}.")
    if not (decision := may(actor.user, action, subject)):
        raise NotAllowed(reason=decision.reason)
    return actor.user


def roles(user: User, subject: Model | None = None, *, held: Collection[Grant] | None = None) -> list[Role]:
    """Return the roles this person holds for this object, sorted. `held` as in `may`."""
    grants = _covering(subject).filter(user=user) if held is None else [one for one in held if _covers(one, subject)]
    return sorted({Role(grant.role) for grant in grants})


def eligible(action: Action, subject: Model) -> list[User]:
    """Return the people who may do this to this object now, by name: whom a refused person can ask."""
    holders = User.objects.filter(
        is_active=True, grants__in=_covering(subject).filter(role__in=ROLES[action])
    ).distinct()
    return [user for user in holders.order_by("username") if may(user, action, subject)]


def seen_environments(user: User) -> QuerySet[Environment]:
    """Return the environments that this person may view, by one query: what `may` says of each, for lists."""
    held = Grant.objects.filter(user=user, user__is_active=True, role__in=ROLES[Action.VIEW])
    return Environment.objects.filter(
        Exists(held.filter(application=None))
        | Exists(held.filter(application=OuterRef("application"), environment=None))
        | Exists(held.filter(environment=OuterRef("pk")))
    )


def _covering(subject: Model | None) -> QuerySet[Grant]:
    """Return the grants that reach this object: those for everything, its application, or its environment."""
    application, environment = _place(subject)
    reach = Q(application=None)
    if application is not None:
        reach |= Q(application=application, environment=None)
    if environment is not None:
        reach |= Q(environment=environment)
    return Grant.objects.filter(reach)


def _covers(grant: Grant, subject: Model | None) -> bool:
    """Return what `_covering` asks the database, for one grant."""
    application, environment = _place(subject)
    if grant.application_id is None:
        return True
    if grant.environment_id is None:
        return application is not None and grant.application_id == application.pk
    return environment is not None and grant.environment_id == environment.pk


def _place(subject: Model | None) -> tuple[Application | None, Environment | None]:  # noqa: PLR0911 # one per kind
    if run := _run_of(subject):
        return run.environment.application, run.environment
    match subject:
        case None:
            return None, None
        case Application():
            return subject, None
        case Environment():
            return subject.application, subject
        case Database() | Policy() | HealthCheck():
            return _place(subject.environment)
        case Observation():
            return _place(subject.database)
        case Migration() | Release():
            return subject.application, None
        case Contact() | Grant():
            return subject.application, subject.environment
    raise TypeError(f"authority knows no place for {type(subject).__name__}")


def _run_of(subject: Model | None) -> MigrationRun | None:
    """Return the run that this is, or is part of: what is closed about a run is closed about its parts."""
    match subject:
        case MigrationRun():
            return subject
        case Job() | Approval() | RunAuthor():
            return subject.run
        case Step() | Backup() | SessionEnd():
            return subject.job.run
        case StepLog():
            return subject.step.job.run
    return None


def _refusal_by_run(user: User, action: Action, run: MigrationRun, worn: Collection[Role]) -> str:
    """Return why this run in particular is closed to this person, or ""."""
    match action:
        case Action.DECIDE:
            return _refusal_to_decide(user, run)
        case Action.ROLL_BACK | Action.RESTORE:
            return _refusal_to_roll_back(run)
        case Action.CANCEL | Action.PAUSE | Action.END_SESSION | Action.RESOLVE | Action.CONFIRM if (
            run.state not in RUN_ACTIVE
        ):
            return f"{_it_is(run)}: it is over."
        case Action.CANCEL | Action.PAUSE | Action.END_SESSION:
            return _refusal_to_meddle(action, run, worn)
        case Action.RESOLVE | Action.CONFIRM if run.state != RunState.NEEDS_ATTENTION:
            return f"{_it_is(run)}: it goes on by itself."
    return ""


def _refusal_to_decide(user: User, run: MigrationRun) -> str:
    if run.state != RunState.AWAITING:
        return f"{_it_is(run)}: there is nothing left to decide."
    if run.requested_by_id == user.pk:
        return f"You requested run {run}. Somebody else decides about it."
    if any(one.user_id == user.pk for one in run.authors.all()):
        return f"You wrote part of what run {run} would execute. Somebody else decides about it."
    if any(one.approver_id == user.pk for one in run.approvals.all()):
        return f"You have decided about run {run} already."
    return ""


def _refusal_to_meddle(action: Action, run: MigrationRun, worn: Collection[Role]) -> str:  # noqa: PLR0911 # one per reason
    """Return why a run that is open is not stopped, or not paused, or ends nobody's session, or ""."""
    if action is Action.END_SESSION:
        is_running = run.state == RunState.RUNNING
        return "" if is_running else f"{_it_is(run)}: nothing of it waits for a session now."
    if run.kind in WAYS_BACK and not set(worn) & ROLES[Action.ROLL_BACK]:
        needed = _either(ROLES[Action.ROLL_BACK])
        return f"You may not {action.value}: it is a way back, and that takes the role {needed}."
    if run.state == RunState.NEEDS_ATTENTION:
        could = "stop" if action is Action.CANCEL else "rest"
        return f"{_it_is(run)}: nothing runs that could {could}. Run it again, or give it up."
    if action is Action.CANCEL:
        return ""
    if run.state == RunState.AWAITING:
        return f"{_it_is(run)}: nothing begins before somebody starts it."
    if run.cancel_requested_at is not None:
        return f"Run {run} was asked to stop: it does not go on."
    return ""


def _refusal_to_roll_back(run: MigrationRun) -> str:
    if run.state == RunState.QUEUED and run.pause_requested_at is None:
        return f"{_it_is(run)} and may still go on. Cancel it first."
    if run.state not in MAY_HAVE_RUN | {RunState.QUEUED} or not run.jobs.filter(claims__gt=0).exists():
        return f"Run {run} has executed nothing: there is nothing to roll back."
    return ""


def _it_is(run: MigrationRun) -> str:
    return f"Run {run} is {RunState(run.state).label.lower()}"


def _either(names: list[Role] | frozenset[Role]) -> str:
    return " or ".join(sorted(role.label for role in names))


def _where(subject: Model | None) -> str:
    application, environment = _place(subject)
    if application is None:
        return " for the whole installation"
    return f" for {environment or application.name}"
