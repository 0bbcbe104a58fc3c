"""Asking for a run: freezing a plan, with a person, a reason, and the policy that judges it."""

from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.models import Environment, MigrationRun, User
from deployments.models.run import RunKind
from deployments.selectors.lane import why_not_by_itself
from deployments.services.audit import record
from deployments.services.draft import Draft, draft_deploy, draft_rollback
from deployments.services.plan_refusals import (
    AlreadyOpen,
    AlreadyRequested,
    DraftMoved,
    NotByItself,
    NotSuperseded,
    ReasonMissing,
)
from deployments.states import RunState


def request_deploy(
    environment: Environment,
    *,
    reason: str,
    change_reference: str = "",
    request_key: UUID,
    actor: Actor,
    digest: str = "",
) -> MigrationRun:
    """Freeze everything pending in an environment into a run that awaits its decision, and return it.

    `digest` is that of the draft a person saw, if they saw one. Raises NotAllowed, ReasonMissing, DraftMoved,
    AlreadyOpen, AlreadyRequested, and what `draft_deploy` raises.
    """
    requester = require(actor, Action.REQUEST, environment)
    if same := MigrationRun.objects.filter(request_key=request_key).first():
        raise AlreadyRequested(number=same.number)
    draft = draft_deploy(environment)
    if digest not in {"", draft.digest}:
        raise DraftMoved(environment=str(environment))
    return _freeze(
        draft,
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
    return _freeze(
        draft_deploy(run.environment),
        run.environment,
        requester=run.requested_by,
        reason=run.reason,
        change_reference=run.change_reference,
        request_key=uuid4(),
        actor=actor,
        supersedes=run,
    )


def request_rollback(
    run: MigrationRun, *, reason: str, request_key: UUID, actor: Actor, digest: str = ""
) -> MigrationRun:
    """Freeze the way back from what a run applied into a run of its own, latest migration first, and return it.

    `digest` is that of the draft a person saw, if they saw one. Raises NotAllowed, ReasonMissing, DraftMoved,
    AlreadyOpen, AlreadyRequested, and what `draft_rollback` raises.
    """
    requester = require(actor, Action.ROLL_BACK, run)
    if same := MigrationRun.objects.filter(request_key=request_key).first():
        raise AlreadyRequested(number=same.number)
    draft = draft_rollback(run)
    if digest not in {"", draft.digest}:
        raise DraftMoved(environment=str(run.environment))
    return _freeze(
        draft,
        run.environment,
        requester=requester,
        reason=reason,
        change_reference=run.change_reference,
        request_key=request_key,
        actor=actor,
        reverts=run,
    )


def request_automatic_rollback(run: MigrationRun, *, code: str, actor: Actor) -> MigrationRun:
    """Freeze the way back that a run's policy wants after a failure, for the person who asked for the run; return it.

    Only where a rehearsal of exactly its scripts restores everything, one person could take it alone, and nothing is
    lost. Raises NotByItself, and what `draft_rollback` raises.
    """
    draft = draft_rollback(run, automatic=code)
    if why := why_not_by_itself(run, draft.entries, draft.standing):
        raise NotByItself(number=run.number, why=why)
    return _freeze(
        draft,
        run.environment,
        requester=run.requested_by,
        reason=f"By itself, as the policy says after {code}: {run.reason}",
        change_reference=run.change_reference,
        request_key=uuid4(),
        actor=actor,
        reverts=run,
    )


def _freeze(
    draft: Draft,
    environment: Environment,
    *,
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
    digest, judged = draft.digest, draft.judged
    _refuse_twins(environment, digest=digest, request_key=request_key)
    try:
        with transaction.atomic():
            run = MigrationRun.objects.create(
                environment=environment,
                policy=draft.policy,
                kind=draft.kind,
                plan_text=draft.plan_text,
                digest=digest,
                judgement={
                    "reasons": judged.reasons,
                    "migrations": judged.shown,
                    "worst": judged.worst,
                    "is_analysed": judged.is_analysed,
                    "reviews": dict(draft.reviews),
                    "commit": draft.commit,
                },
                requested_by=requester,
                reason=reason,
                change_reference=change_reference,
                request_key=request_key,
                reverts=reverts,
                supersedes=supersedes,
            )
            after = {"kind": draft.kind, "digest": digest, "class": judged.risk.value, "policy": draft.policy.version}
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
