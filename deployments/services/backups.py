"""Keeping the record of a backup that lies in the artifacts store, and of what was found out about it."""

from datetime import datetime
from typing import Any

from django.db import transaction

from checks.policy.backups import PG_DUMP
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.models import Backup, BackupCheck, BackupExpiry, BackupHold, Job
from deployments.models.backup import UNSOUND, BackupLevel, BackupScope, CheckOutcome
from deployments.selectors.backups import bound_to, is_held
from deployments.services.audit import record
from deployments.services.transition import Stale, locked_run

TEND_BACKUPS = "tend-backups"
"""The periodic task that reads them, and removes those that no rule keeps."""


def keep_backup(
    job: Job,
    *,
    fence: int,
    scope: BackupScope,
    place: str,
    level: BackupLevel,
    size_bytes: int,
    files: int,
    snapshot_at: datetime,
    snapshot_lsn: str,
    server_version: int,
    client_version: str,
    manifest_sha256: str,
    actor: Actor,
    driver: str = PG_DUMP,
    restore_point: str = "",
) -> Backup:
    """Write the row of a backup with its audit event and return it; one that was written before is returned as it is.

    `place` is relative to the artifacts store. The manifest's hash is in the audit chain from here on: what the
    manifest says of the files can be trusted as far as the chain. Raises Stale if the job changed hands: `fence` is
    that of the executor which made it.
    """
    with transaction.atomic():
        locked_run(job.run_id)  # one writer at a time: the second one finds the row
        if not Job.objects.filter(pk=job.pk, fence=fence).exists():
            raise Stale(subject=f"Job {job}", expected="held by this executor")
        if (kept := Backup.objects.filter(place=place).first()) is not None:
            return kept
        backup = Backup.objects.create(
            job=job,
            scope=scope,
            place=place,
            level=level,
            bytes=size_bytes,
            files=files,
            snapshot_at=snapshot_at,
            snapshot_lsn=snapshot_lsn,
            server_version=server_version,
            client_version=client_version,
            manifest_sha256=manifest_sha256,
            driver=driver,
            restore_point=restore_point,
        )
        record(actor, "backup.kept", backup, after=_told(backup))
    return backup


def note_check(
    backup: Backup, outcome: CheckOutcome, found: dict[str, Any], *, actor: Actor, fence: int | None = None
) -> BackupCheck:
    """Write down what came of trying a backup, with its audit event, and return the row.

    That it is still readable, as it was the day before, is no event: those would fill the log. Raises Stale if it was
    tried by an executor whose `fence` is given, and its job changed hands.
    """
    with transaction.atomic():
        if fence is not None:
            locked_run(backup.job.run_id)
            if not Job.objects.filter(pk=backup.job_id, fence=fence).exists():
                raise Stale(subject=f"Job {backup.job}", expected="held by this executor")
        latest = backup.checks.order_by("-pk").first()
        check = BackupCheck.objects.create(backup=backup, outcome=outcome, found=found)
        if outcome != CheckOutcome.READABLE or (latest is not None and latest.outcome in UNSOUND):
            record(actor, "backup.checked", backup, after={"outcome": outcome, "found": found})
    return check


def hold_backup(backup: Backup, *, is_held: bool, reason: str, actor: Actor) -> BackupHold:
    """Say that a backup stays whatever the rules, or no longer, and return what was said. Raises NotAllowed."""
    person = require(actor, Action.HOLD_BACKUP, backup.job.run.environment)
    with transaction.atomic():
        locked_run(backup.job.run_id)
        said = BackupHold.objects.create(backup=backup, is_held=is_held, reason=reason, said_by=person)
        record(actor, "backup.held" if is_held else "backup.released", backup, reason=reason)
    return said


def expire(backup: Backup, *, rule: str, actor: Actor) -> bool:
    """Say that the files of a backup are removed by this rule; False if it is held, bound, or was removed before."""
    with transaction.atomic():
        locked_run(backup.job.run_id)  # a hold or a restore that comes now waits, and finds it gone
        if is_held(backup) or bound_to(backup) or BackupExpiry.objects.filter(backup=backup).exists():
            return False
        BackupExpiry.objects.create(backup=backup, rule=rule)
        record(actor, "backup.expired", backup, after={"place": backup.place, "rule": rule})
    return True


def _told(backup: Backup) -> dict[str, Any]:
    return {
        "scope": backup.scope,
        "place": backup.place,
        "level": backup.level,
        "bytes": backup.bytes,
        "files": backup.files,
        "snapshot_at": backup.snapshot_at.isoformat(),
        "manifest_sha256": backup.manifest_sha256,
    } | ({"driver": backup.driver, "restore_point": backup.restore_point} if backup.restore_point else {})
