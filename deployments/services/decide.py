"""A person's yes or no to a run, and starting it once nothing is unmet."""

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.authority import Action, NotAllowed, require, roles
from deployments.errors import DeploymentError
from deployments.models import Approval, Job, MigrationRun, User
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.selectors.runs import unmet_of
from deployments.services.announce import announce_job, announce_wish
from deployments.services.audit import record
from deployments.services.lane import locked_with_reverted, take_slots
from deployments.services.transition import Stale, cancel_what_waits, lock_databases, locked_run, move_run
from deployments.states import RunState


class PlanIsAnother(DeploymentError):
    """The person decided about another content than the run has."""

    code = "plan-is-another"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"What you read is not the plan of run #{number}. Nothing was decided. Read the plan again, then decide."
        )


class NotYet(DeploymentError):
    """Something that the policy asks for is unmet."""

    code = "not-yet"

    def __init__(self, *, number: int, waits: tuple[str, ...]) -> None:
        super().__init__(f"Run #{number} cannot start yet. Nothing was started. {' '.join(waits)}")


class DecidedAlready(DeploymentError):
    """The person decided before."""

    code = "decided-already"

    def __init__(self, *, number: int) -> None:
        super().__init__(f"You have decided about run #{number} already. Nothing was changed.")


def decide(
    run: MigrationRun,
    *,
    verdict: Verdict,
    digest: str,
    revision: int | None = None,
    comment: str = "",
    actor: Actor,
) -> Approval:
    """Record a person's verdict on the plan they read, and return it. A no rejects the run.

    `revision` is the one of the page they read, if it was one. Who holds both deciding roles counts for the one still
    missing. Raises NotAllowed, PlanIsAnother, DecidedAlready, and Stale if anything about the run moved since.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        if digest != held.digest:
            raise PlanIsAnother(number=held.number)
        if held.approvals.filter(approver=actor.user).exists():
            raise DecidedAlready(number=held.number)
        if revision not in {None, held.revision}:
            raise Stale(subject=f"Run {held}", expected="as you saw it")
        approval = _write(held, verdict, comment, require(actor, Action.DECIDE, held))
        after = {"verdict": verdict.value, "role": approval.role, "digest": digest}
        record(actor, f"run.{verdict.value}", held, after=after, reason=comment)
        if verdict is Verdict.REJECTED:
            move_run(held, RunState.REJECTED, actor=actor, reason=comment)
        else:
            MigrationRun.objects.filter(pk=held.pk).update(revision=F("revision") + 1)
    return approval


def _write(run: MigrationRun, verdict: Verdict, comment: str, user: User) -> Approval:
    worn = [role for role in roles(user, run) if role in {Role.DBA, Role.ARCHITECT}]
    waiting = {one.rule.removeprefix("approval-") for one in unmet_of(run)}
    role = next((role for role in worn if role.value in waiting), worn[0])
    try:
        with transaction.atomic():
            return Approval.objects.create(
                run=run,
                requester=run.requested_by,
                digest=run.digest,
                approver=user,
                role=role,
                verdict=verdict,
                comment=comment,
            )
    except IntegrityError as refused:
        # The database holds four eyes by itself; whatever slipped past may() ends here.
        raise NotAllowed(reason="The database refused this decision: nobody approves their own run.") from refused


def start(run: MigrationRun, *, actor: Actor) -> MigrationRun:
    """Queue a run whose needs are all met: one job per database, and the dispatcher told. Returns the run.

    The way back from a run that is paused, or needs attention, ends that one and keeps its slot. Rehearsals of its
    environment are asked to stop.

    Only a person starts a run, but for a rollback that its policy wants to begin by itself.

    Raises NotAllowed, NotYet with everything that is unmet, IllegalTransition if it was started or ended before.
    """
    with transaction.atomic():
        held, giving_way = locked_with_reverted(run)
        begins_by_itself = actor.user is None and held.plan.get("lane", {}).get("automatic")
        person = held.requested_by if begins_by_itself else require(actor, Action.REQUEST, held)
        if held.state == RunState.AWAITING and (waits := unmet_of(held)):
            raise NotYet(number=held.number, waits=tuple(one.text for one in waits))
        lock_databases(entry["id"] for entry in held.plan["databases"])
        move_run(held, RunState.QUEUED, actor=actor)
        given_over = take_slots(held, actor=actor)
        for rehearsal in giving_way:
            _cancel(rehearsal, person, actor=actor)
        for place, entry in enumerate(held.plan["databases"], start=1):
            is_held = entry["id"] in given_over
            job = Job.objects.create(run=held, database_id=entry["id"], position=place, writes=True, holds_slot=is_held)
            announce_job(job.pk)
    run.refresh_from_db()
    return run


def request_cancel(run: MigrationRun, *, actor: Actor) -> MigrationRun:
    """Ask a run to stop. What has not begun is cancelled at once; what runs is asked, and says itself how it ended.

    It takes the place of a wish to pause. Asking again only cancels what is queued. Raises NotAllowed.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        canceller = require(actor, Action.CANCEL, held)
        if held.state == RunState.AWAITING:
            move_run(held, RunState.CANCELLED, actor=actor)
        else:
            _cancel(held, canceller, actor=actor)
    run.refresh_from_db()
    return run


def _cancel(run: MigrationRun, canceller: User, *, actor: Actor) -> None:
    """Ask a locked run that was started to stop, and cancel what of it is queued."""
    if run.cancel_requested_at is None:
        _wish_to_cancel(run, canceller, actor=actor)
    cancel_what_waits(run, actor=actor)
    announce_wish(run.pk)


def _wish_to_cancel(run: MigrationRun, canceller: User, *, actor: Actor) -> None:
    """Write the wish on a locked run. A pause beside it would keep everybody from the job that is to end."""
    paused = {"paused_by": str(run.pause_requested_by), "reason": run.pause_reason} if run.pause_requested_at else None
    MigrationRun.objects.filter(pk=run.pk).update(
        cancel_requested_at=Now(),
        cancel_requested_by=canceller,
        pause_requested_at=None,
        pause_requested_by=None,
        pause_reason="",
        revision=F("revision") + 1,
    )
    record(actor, "run.cancel-requested", run, before=paused)
    run.refresh_from_db()
