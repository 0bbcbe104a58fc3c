"""Keeping the record of a backup that lies in the artifacts store."""

from datetime import datetime
from typing import Any

from django.db import transaction

from deployments.actors import Actor
from deployments.models import Backup, Job
from deployments.models.backup import BackupLevel, BackupScope
from deployments.services.audit import record
from deployments.services.transition import Stale, locked_run


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
        )
        record(actor, "backup.kept", backup, after=_told(backup))
    return backup


def _told(backup: Backup) -> dict[str, Any]:
    return {
        "scope": backup.scope,
        "place": backup.place,
        "level": backup.level,
        "bytes": backup.bytes,
        "files": backup.files,
        "snapshot_at": backup.snapshot_at.isoformat(),
        "manifest_sha256": backup.manifest_sha256,
    }
