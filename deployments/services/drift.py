"""The schema that a database is expected to have: what our runs left there, or what a person accepted."""

from typing import Any

from django.db import transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Database, Job, Observation, SchemaExpectation
from deployments.models.schema import Expected
from deployments.selectors.snapshots import ignore_rules
from deployments.services.audit import record
from deployments.services.transition import lock_databases
from deployments.states import JOB_FINAL


class DriftReasonMissing(DeploymentError):
    """A drift was to be accepted without a reason."""

    code = "drift-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "To accept how a database differs needs a reason, for the record: who changed it, and why it is to stay. "
            "Nothing was changed. Give one."
        )


class DriftMoved(DeploymentError):
    """A database was read again since a person looked at how it differs."""

    code = "drift-moved"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"{database} was read again and is not as you saw it. Nothing was accepted. Look at the difference as it "
            "is now, then decide again."
        )


def expect_left(observation: Observation, job: Job) -> None:
    """Expect the schema that a job has left, from what was read when its scripts were through."""
    _expect(observation, kind=Expected.RUN, job=job)


def settle_expected(observation: Observation) -> None:
    """Expect what was read, where it is the first reading, or the first since a job of ours ended in the middle.

    Called for every reading, in the transaction that keeps it. What else such a job met is told as what it left: from
    when it ended to this reading nobody looked.
    """
    database = observation.database
    newest = SchemaExpectation.objects.filter(database=database).order_by("-id").first()
    jobs = Job.objects.filter(database=database, writes=True, started_at__isnull=False)
    if jobs.filter(finished_at=None).exists():
        return  # what is read while it works is neither here nor there
    if newest is None:
        _expect(observation, kind=Expected.FIRST)
    elif (
        left := jobs.filter(state__in=JOB_FINAL, applied__gt=0, finished_at__gt=newest.created_at, expectations=None)
        .order_by("-id")
        .first()
    ):
        _expect(observation, kind=Expected.RUN, job=left)


def accept_drift(database: Database, *, seen: int, reason: str, actor: Actor) -> SchemaExpectation:
    """Expect from now on what a database was found to have; return that. `seen` is the reading the person looked at.

    Raises NotAllowed, DriftReasonMissing, DriftMoved.
    """
    require(actor, Action.ACCEPT_DRIFT, database)
    if not reason.strip():
        raise DriftReasonMissing
    with transaction.atomic():
        lock_databases([database.pk])
        newest = Observation.objects.filter(database=database, snapshot__isnull=False).order_by("-id").first()
        looked_at = Observation.objects.filter(database=database, pk=seen).first()
        if newest is None or looked_at is None or newest.snapshot_id != looked_at.snapshot_id:
            raise DriftMoved(database=str(database))
        before = SchemaExpectation.objects.filter(database=database).order_by("-id").first()
        accepted = _expect(newest, kind=Expected.ACCEPTED, accepted_by=actor.user, reason=reason)
        record(
            actor,
            "database.drift-accepted",
            database,
            before=before.snapshot_id if before else None,
            after=newest.snapshot_id,
            reason=reason,
        )
    return accepted


def _expect(observation: Observation, **why: Any) -> SchemaExpectation:
    assert observation.snapshot is not None  # noqa: S101 # every reading since 0016 has one
    rules = ignore_rules(observation.database.environment)
    return SchemaExpectation.objects.create(
        database=observation.database, snapshot=observation.snapshot, rules=rules.as_data(), **why
    )
