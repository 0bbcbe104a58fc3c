"""Asking for a restore: what it would lose is measured first, then it is frozen as a run of its own."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from checks.policy import requirements, way_back
from checks.risk import Risk
from checks.schema import fingerprint, touched
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.digest import canonical, digest_of
from deployments.errors import DeploymentError
from deployments.models import HealthCheck, Job, KeptDatabase, MigrationRun, TargetRequest
from deployments.models.kept_database import KeptEnding
from deployments.models.run import RunKind
from deployments.models.target_request import RequestKind
from deployments.planning import FORMAT, NotObserved
from deployments.selectors.budget import budget_for
from deployments.selectors.history import latest_observation
from deployments.selectors.restores import Measured, Source, closed, measured, source_of
from deployments.selectors.runs import unmet_of
from deployments.services.adopt import require_not_ahead
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.decide import start
from deployments.services.plan_refusals import AlreadyOpen, AlreadyRequested, DraftMoved, ReasonMissing
from deployments.services.transition import Stale, lock_databases, locked_run

REASONS = ["Everything that was written since is lost, and all connections end for a moment."]
KEPT = timedelta(days=3)  # DESIGN, section 8: for the undo of a restore


class NothingToRestore(DeploymentError):
    """There is nothing that could be restored because of this run."""

    code = "nothing-to-restore"

    def __init__(self, *, why: str) -> None:
        super().__init__(f"{why} Nothing was planned. Look at the other ways back, or at the backups of the database.")


class PriceMissing(DeploymentError):
    """What a restore would lose was not measured."""

    code = "price-missing"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"What a restore because of run #{number} would lose was not measured yet. Nothing was planned. Have it "
            "measured, which changes nothing, then ask again."
        )


def request_price(run: MigrationRun, *, actor: Actor) -> TargetRequest:
    """Ask for what a restore because of a run would lose to be counted, and return the wish.

    Asked twice it is the same wish; another one about the same database is waited for. Raises NotAllowed,
    NothingToRestore.
    """
    with transaction.atomic():
        held = locked_run(run.pk)
        require(actor, Action.RESTORE, held)
        source = source_of(held)
        if source is None or (why := closed(held, source)):
            raise NothingToRestore(why=closed(held, source) if source is None else why)
        lock_databases([source.job.database_id])
        wish, created = TargetRequest.objects.get_or_create(
            database_id=source.job.database_id,
            kind=RequestKind.PRICE,
            answered_at=None,
            defaults={"job": source.job, "requested_by": actor.user},
        )
        if created:
            record(actor, "run.price-requested", held)
            announce_sweep()
    return wish


def draft_restore(run: MigrationRun, *, stop_writes: bool) -> tuple[str, Source, Measured]:
    """Return the plan of a restore as it would be frozen now, with what it restores and what that was found to cost.

    Nothing is written. Raises NothingToRestore, PriceMissing, NotObserved, FenceAhead.
    """
    source = source_of(run)
    if source is None or closed(run, source):
        raise NothingToRestore(why=closed(run, source))
    price = measured(run)
    if not price.price:
        raise PriceMissing(number=run.number)
    database = source.job.database
    seen = latest_observation(database)
    if seen is None:
        raise NotObserved(database=str(database))
    require_not_ahead(database)
    environment = run.environment
    policy = environment.policies.latest("version")
    needs = way_back(requirements(policy.rules, protected=environment.is_protected, risk=Risk.HIGH))
    health = HealthCheck.objects.filter(environment=environment).first()
    plan = {
        "format": FORMAT,
        "kind": RunKind.RESTORE.value,
        "application": environment.application.slug,
        "environment": environment.slug,
        "migrations": [],
        "databases": [
            {
                "id": database.pk,
                "name": database.name,
                "system_identifier": seen.system_identifier,
                "database_name": seen.database_name,
                "history": seen.history_hash,
                "touched": fingerprint(touched(seen.objects_by_name, ())),
            }
        ],
        "restore": _what(source) | {"stop_writes": stop_writes, "price": {"asked": price.number, **price.price}},
        "smoke": None,
        "health": asdict(health.expectation()) if health else None,
        "touches": [],
        "locks": [],
        "accepted": [],
        "batches": [],
        "class": Risk.HIGH.value,
        "requirements": needs.as_plan(),
        "budget": dict(budget_for(policy.rules, "rollback", [])),
    }
    return canonical(plan), source, price


def _what(source: Source) -> dict[str, Any]:
    if source.backup is not None:
        one = source.backup
        return {
            "from": "backup",
            "backup": one.pk,
            "place": one.place,
            "manifest": one.manifest_sha256,
            "at": one.snapshot_at.isoformat(),
            "bytes": one.bytes,
        }
    kept = source.kept
    assert kept is not None  # noqa: S101 # one of both is there
    return {"from": "kept", "kept": kept.pk, "name": kept.name, "oid": kept.oid, "at": kept.made_at.isoformat(),
            "bytes": kept.bytes}  # fmt: skip


def restore(
    run: MigrationRun, *, reason: str, request_key: UUID, digest: str, stop_writes: bool, actor: Actor
) -> MigrationRun:
    """Freeze a restore because of a run, and return its run: queued if nothing is unmet, else it awaits its decision.

    `digest` is that of the draft the person saw. Raises NotAllowed, ReasonMissing, DraftMoved, AlreadyOpen,
    AlreadyRequested, what `draft_restore` raises, and what `start` raises; then nothing was planned either.
    """
    with transaction.atomic():
        held = locked_run(run.pk)  # the second of two presses waits here and finds the first one's run
        requester = require(actor, Action.RESTORE, held)
        if same := MigrationRun.objects.filter(request_key=request_key).first():
            raise AlreadyRequested(number=same.number)
        if not reason.strip():
            raise ReasonMissing
        text, source, price = draft_restore(held, stop_writes=stop_writes)
        if digest != digest_of(text):
            raise DraftMoved(environment=str(held.environment))
        lock_databases([source.job.database_id])
        if same := MigrationRun.objects.filter(environment=held.environment, digest=digest, finished_at=None).first():
            raise AlreadyOpen(number=same.number)
        try:
            with transaction.atomic():
                made = MigrationRun.objects.create(
                    environment=held.environment,
                    policy=held.environment.policies.latest("version"),
                    kind=RunKind.RESTORE,
                    plan_text=text,
                    digest=digest,
                    judgement={"reasons": REASONS, "migrations": {}, "worst": None, "is_analysed": True},
                    requested_by=requester,
                    reason=reason,
                    change_reference=held.change_reference,
                    request_key=request_key,
                    reverts=held,
                )
        except IntegrityError:
            if same := MigrationRun.objects.filter(request_key=request_key).first():
                raise AlreadyRequested(number=same.number) from None
            raise
        after = {"kind": made.kind, "digest": digest, "restores": _what(source), "lost": price.price.get("tables", [])}
        record(actor, "run.requested", made, after=after, reason=reason)
        return made if unmet_of(made) else start(made, actor=actor)


def keep_database(
    job: Job, *, fence: int, name: str, oid: int, size_bytes: int, baseline: dict[str, Any], actor: Actor
) -> KeptDatabase:
    """Write which database was exchanged, with its audit event; one that was written before is returned as it is.

    What the job took back is kept no longer. Raises Stale if the job changed hands.
    """
    with transaction.atomic():
        locked_run(job.run_id)
        if not Job.objects.filter(pk=job.pk, fence=fence).exists():
            raise Stale(subject=f"Job {job}", expected="held by this executor")
        if (there := KeptDatabase.objects.filter(job=job).first()) is not None:
            return there
        kept = KeptDatabase.objects.create(
            job=job, name=name, oid=oid, bytes=size_bytes, baseline=baseline, keep_until=Now() + KEPT
        )
        taken = job.run.plan["restore"].get("kept")
        KeptDatabase.objects.filter(pk=taken, ended_at=None).update(ended_at=Now(), ending=KeptEnding.TAKEN_BACK)
        record(actor, "database.exchanged", job, after={"kept": name, "oid": oid, "taken_back": taken})
    kept.refresh_from_db()
    return kept


def end_kept(kept: KeptDatabase, ending: KeptEnding, *, actor: Actor) -> bool:
    """Write that a database is kept no longer, with its audit event; False if that was written before."""
    with transaction.atomic():
        ended = KeptDatabase.objects.filter(pk=kept.pk, ended_at=None).update(ended_at=Now(), ending=ending)
        if ended:
            record(actor, "database.kept-no-longer", kept.job, after={"name": kept.name, "ending": ending})
    return bool(ended)
