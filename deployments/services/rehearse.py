"""Asking for a rehearsal of a run's plan, by a person or by the clock, and keeping what it proved."""

from uuid import UUID, uuid5

from django.conf import settings
from django.db import IntegrityError, transaction

from checks.rehearsal.proof import Proof
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.digest import canonical, digest_of
from deployments.errors import DeploymentError
from deployments.models import ControlPlane, Job, MigrationRun, Rehearsal, User
from deployments.models.run import RunKind
from deployments.selectors.clock import database_now
from deployments.selectors.repeats import due_again, masking_and_queries
from deployments.services.announce import announce_job
from deployments.services.audit import record
from deployments.services.plan_refusals import AlreadyOpen, AlreadyRequested
from deployments.services.transition import Stale, lock_databases, locked_run, move_run
from deployments.states import RunState

REPEAT_REHEARSALS = "repeat-rehearsals"
"""The periodic task that has a rehearsal played again before a window, where its proof would be too old then."""


class NoRehearsalServer(DeploymentError):
    """The environment names no server to rehearse on."""

    code = "no-rehearsal-server"

    def __init__(self, *, environment: str) -> None:
        super().__init__(
            f"{environment} names no rehearsal server, so nothing can be rehearsed. Nothing was changed. "
            "Name one that may hold a copy of its data."
        )


class NothingToRehearse(DeploymentError):
    """The run has no way back that could be proven before it starts."""

    code = "nothing-to-rehearse"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"Run #{number} is not a deploy that awaits its decision, so there is nothing to rehearse. "
            "Nothing was changed. Rehearse a run before it is started."
        )


def request_rehearsal(run: MigrationRun, *, request_key: UUID, actor: Actor) -> MigrationRun:
    """Freeze the rehearsal of a deploy run's plan into a run of its own, queue it, and return it. Nobody approves it.

    Raises NotAllowed, NothingToRehearse, NoRehearsalServer, AlreadyOpen, AlreadyRequested.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        requester = require(actor, Action.REQUEST, held.environment)
        reason = f"Rehearsal of run {held}: {held.reason}"
        return _queued(held, requester=requester, reason=reason, request_key=request_key, actor=actor)


def repeat_rehearsals(*, actor: Actor) -> list[MigrationRun]:
    """Have played again what would be proven too long ago in the next window, and return the runs that do it.

    Once for each run and window, by any number of callers, in the name of who asked for the run. A rehearsal that
    cannot be asked for any more is left out.
    """
    plane, asked = ControlPlane.objects.get().pk, []
    for run, opens_at in due_again(database_now()):
        reason = f"Rehearsal of run {run} again, because its window opens at {opens_at:%Y-%m-%d %H:%M %Z}"
        key = uuid5(plane, f"{REPEAT_REHEARSALS} {run.pk} {opens_at.isoformat()}")
        try:
            with transaction.atomic():
                held = locked_run(run.pk)
                made = _queued(held, requester=held.requested_by, reason=reason, request_key=key, actor=actor)
        except (AlreadyRequested, AlreadyOpen, NothingToRehearse, NoRehearsalServer):
            continue
        asked.append(made)
    return asked


def _queued(held: MigrationRun, *, requester: User, reason: str, request_key: UUID, actor: Actor) -> MigrationRun:
    """Freeze and queue the rehearsal of a locked run, in the transaction of who calls, and return it."""
    with transaction.atomic():
        if held.kind != RunKind.DEPLOY or held.state != RunState.AWAITING:
            raise NothingToRehearse(number=held.number)
        if not held.environment.rehearsal_connection:
            raise NoRehearsalServer(environment=str(held.environment))
        plan = held.plan
        # What is played on is to be what the target holds, whatever the policy asks of the deploy's own backup.
        largest = settings.CONFIGURATION.rehearsal_largest_gb
        needs = plan["requirements"] | {"approvals": [], "verified_backup_gb": largest}
        told = {"kind": RunKind.REHEARSAL.value, "rehearses": held.number, "health": None, "requirements": needs}
        told |= masking_and_queries(held.environment.application)
        text = canonical(plan | told)
        _refuse_twins(held, digest=digest_of(text), request_key=request_key)
        try:
            with transaction.atomic():
                rehearsal = MigrationRun.objects.create(
                    environment=held.environment,
                    policy=held.policy,
                    kind=RunKind.REHEARSAL,
                    plan_text=text,
                    digest=digest_of(text),
                    judgement=held.judgement,
                    requested_by=requester,
                    reason=reason,
                    change_reference=held.change_reference,
                    request_key=request_key,
                )
        except IntegrityError:
            _refuse_twins(held, digest=digest_of(text), request_key=request_key)  # the other one was a moment earlier
            raise
        record(actor, "run.requested", rehearsal, after={"kind": rehearsal.kind, "rehearses": held.number})
        lock_databases(entry["id"] for entry in plan["databases"])
        move_run(rehearsal, RunState.QUEUED, actor=actor)
        for place, entry in enumerate(plan["databases"], start=1):
            job = Job.objects.create(run=rehearsal, database_id=entry["id"], position=place, writes=False)
            announce_job(job.pk)
    rehearsal.refresh_from_db()
    return rehearsal


def keep_rehearsal(job: Job, proof: Proof, *, fence: int, actor: Actor) -> Rehearsal:
    """Write what a job proved, with its audit event, and return the row; one that was written before stays as it is.

    Raises Stale if the job changed hands.
    """
    with transaction.atomic():
        locked_run(job.run_id)
        if not Job.objects.filter(pk=job.pk, fence=fence).exists():
            raise Stale(subject=f"Job {job}", expected="held by this executor")
        if (kept := Rehearsal.objects.filter(job=job).first()) is not None:
            return kept
        kept = Rehearsal.objects.create(
            job=job, scripts=proof.scripts, outcome=str(proof.outcome), proof=proof.as_evidence()
        )
        record(actor, "rehearsal.kept", job, after={"outcome": kept.outcome, "scripts": kept.scripts})
    return kept


def _refuse_twins(run: MigrationRun, *, digest: str, request_key: UUID) -> None:
    if same := MigrationRun.objects.filter(request_key=request_key).first():
        raise AlreadyRequested(number=same.number)
    if same := MigrationRun.objects.filter(environment=run.environment_id, digest=digest, finished_at=None).first():
        raise AlreadyOpen(number=same.number)
