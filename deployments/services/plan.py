"""Asking for a run: freezing a plan, with a person, a reason, and the policy that judges it."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from checks.policy import requirements
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.digest import canonical, digest_of
from deployments.models import Database, Environment, Migration, MigrationRun, Observation, Release, Script, User
from deployments.models.run import RunKind
from deployments.planning import (
    DatabasesDiffer,
    NoDatabases,
    NothingToDo,
    NotObserved,
    RollbackMissing,
    judge_scripts,
    pending,
    plan_content,
    require_readable_checks,
)
from deployments.selectors.history import latest_observation
from deployments.services.audit import record
from deployments.services.plan_refusals import (
    AlreadyOpen,
    AlreadyRequested,
    NoRelease,
    NothingToRevert,
    NotOnTop,
    NotSuperseded,
    ReasonMissing,
)
from deployments.states import RunState


def request_deploy(
    environment: Environment, *, reason: str, change_reference: str = "", request_key: UUID, actor: Actor
) -> MigrationRun:
    """Freeze everything pending in an environment into a run that awaits its decision, and return it.

    Raises NotAllowed, ReasonMissing, NoRelease, AlreadyOpen, AlreadyRequested, and what the plan refuses: NothingToDo,
    NotObserved, DatabasesDiffer, RollbackMissing, PlanBlocked, ChecksUnreadable, EditedAfterApplied, HistoryUnknown,
    OutOfOrder.
    """
    requester = require(actor, Action.REQUEST, environment)
    return _deploy(
        environment,
        requester=requester,
        reason=reason,
        change_reference=change_reference,
        request_key=request_key,
        actor=actor,
    )


def request_successor(run: MigrationRun, *, actor: Actor) -> MigrationRun:
    """Freeze what is pending now into the successor of a superseded deploy run, for the person who asked for that one.

    Approvals do not pass over: people decide about the new plan. Raises what `request_deploy` raises, NotSuperseded.
    """
    if run.state != RunState.SUPERSEDED or run.kind != RunKind.DEPLOY:
        raise NotSuperseded(number=run.number)
    return _deploy(
        run.environment,
        requester=run.requested_by,
        reason=run.reason,
        change_reference=run.change_reference,
        request_key=uuid4(),
        actor=actor,
        supersedes=run,
    )


def _deploy(
    environment: Environment,
    *,
    requester: User,
    reason: str,
    change_reference: str,
    request_key: UUID,
    actor: Actor,
    supersedes: MigrationRun | None = None,
) -> MigrationRun:
    release = Release.objects.filter(application=environment.application).order_by("-id").first()
    if release is None:
        raise NoRelease(application=environment.application.slug)
    listed = [entry.migration for entry in release.entries.select_related("migration")]
    observations = _observations(environment)
    wanted = [pending(listed, seen) for seen in observations.values()]
    databases = list(observations)
    for database, other in zip(databases[1:], wanted[1:], strict=True):
        if other != wanted[0]:
            raise DatabasesDiffer(one=str(databases[0]), other=str(database))
    if not wanted[0]:
        raise NothingToDo(environment=str(environment), count=len(listed))
    return _freeze(
        environment,
        kind="deploy",
        migrations=wanted[0],
        smoke=release.smoke,
        observations=observations,
        requester=requester,
        reason=reason,
        change_reference=change_reference,
        request_key=request_key,
        actor=actor,
        supersedes=supersedes,
    )


def request_rollback(run: MigrationRun, *, reason: str, request_key: UUID, actor: Actor) -> MigrationRun:
    """Freeze the way back from what a run applied into a run of its own, latest migration first, and return it.

    Raises NotAllowed, ReasonMissing, NothingToRevert, NotOnTop, DatabasesDiffer, RollbackMissing, AlreadyOpen.
    """
    requester = require(actor, Action.ROLL_BACK, run)
    observations, back = _applied_by(run)
    if not back:
        raise NothingToRevert(number=run.number)
    for seen in observations.values():
        applied = [entry["name"] for entry in seen.history]
        if later := [name for name in applied[applied.index(back[-1]) :] if name not in back]:
            raise NotOnTop(names=later, number=run.number)
    forward = {entry["name"]: entry for entry in run.plan["migrations"]}
    migrations = [
        Migration.objects.filter(
            application=run.environment.application, name=name, forward=forward[name]["forward"]
        ).latest("id")
        for name in back
    ]
    return _freeze(
        run.environment,
        kind="rollback",
        migrations=migrations,
        observations=observations,
        requester=requester,
        reason=reason,
        change_reference=run.change_reference,
        request_key=request_key,
        actor=actor,
        reverts=run,
    )


def _applied_by(run: MigrationRun) -> tuple[dict[Database, Observation], list[str]]:
    """Return where a deploy run left something that is still applied, and what, latest first.

    A database that the run did not reach, or that was rolled back since, is left out: what it has is somebody else's.
    Raises DatabasesDiffer if the others do not have the same left of it.
    """
    places: dict[Database, Observation] = {}
    back: list[str] = []
    if run.kind != RunKind.DEPLOY or run.reverted_by.filter(state=RunState.SUCCEEDED).exists():
        return places, back
    planned = [entry["name"] for entry in run.plan["migrations"]]
    for database, seen in _observations(run.environment).items():
        job = run.jobs.filter(database=database).first()
        applied = {entry["name"] for entry in seen.history}
        ours = [name for name in planned[: job.applied if job else 0] if name in applied][::-1]
        if not ours:
            continue
        if places and ours != back:
            raise DatabasesDiffer(one=str(next(iter(places))), other=str(database))
        places[database], back = seen, ours
    return places, back


def _freeze(
    environment: Environment,
    *,
    kind: str,
    migrations: Sequence[Migration],
    smoke: Script | None = None,
    observations: dict[Database, Observation],
    requester: User,
    reason: str,
    change_reference: str,
    request_key: UUID,
    actor: Actor,
    reverts: MigrationRun | None = None,
    supersedes: MigrationRun | None = None,
) -> MigrationRun:
    if not reason.strip():
        raise ReasonMissing
    policy = environment.policies.latest("version")
    part = "forward" if kind == "deploy" else "rollback"
    without = [one.name for one in migrations if one.rollback_id is None]
    scripts = [(one.name, script.text()) for one in migrations if (script := getattr(one, part)) is not None]
    judged = judge_scripts(scripts)
    require_readable_checks(migrations, smoke)
    needs = requirements(policy.rules, protected=environment.is_protected, risk=judged.risk)
    if without and (needs.rollback or kind == "rollback"):
        raise RollbackMissing(names=without)
    plan = canonical(
        plan_content(
            environment,
            kind=kind,
            migrations=migrations,
            observations=observations,
            judged=judged,
            needs=needs,
            smoke=smoke.sha256 if smoke else None,
        )
    )
    digest = digest_of(plan)
    _refuse_twins(environment, digest=digest, request_key=request_key)
    try:
        with transaction.atomic():
            run = MigrationRun.objects.create(
                environment=environment,
                policy=policy,
                kind=kind,
                plan_text=plan,
                digest=digest,
                judgement={"reasons": judged.reasons, "migrations": judged.shown},
                requested_by=requester,
                reason=reason,
                change_reference=change_reference,
                request_key=request_key,
                reverts=reverts,
                supersedes=supersedes,
            )
            after = {"kind": kind, "digest": digest, "class": judged.risk.value, "policy": policy.version}
            record(actor, "run.requested", run, after=after, reason=reason)
    except IntegrityError:
        _refuse_twins(environment, digest=digest, request_key=request_key)  # the other one was a moment earlier
        raise
    return run


def _refuse_twins(environment: Environment, *, digest: str, request_key: UUID) -> None:
    if same := MigrationRun.objects.filter(request_key=request_key).first():
        raise AlreadyRequested(number=same.number)
    if same := MigrationRun.objects.filter(environment=environment, digest=digest, finished_at=None).first():
        raise AlreadyOpen(number=same.number)


def _observations(environment: Environment) -> dict[Database, Observation]:
    found: dict[Database, Observation] = {}
    for database in environment.databases.order_by("position"):
        observation = latest_observation(database)
        if observation is None:
            raise NotObserved(database=str(database))
        found[database] = observation
    if not found:
        raise NoDatabases(environment=str(environment))
    return found
