"""A copy of a target that was kept before it was changed: where it is, and how far it has been proven."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.run import Job


class BackupScope(models.TextChoices):
    """How much of the database a backup holds."""

    DATABASE = "database", "Whole database"
    TABLES = "tables", "What the script destroys"


class BackupLevel(models.TextChoices):
    """How far a backup has been proven. Only the last one is called verified (DESIGN, section 8)."""

    MANIFEST = "manifest", "Complete by its manifest"
    READABLE = "readable", "Read to the end"
    RESTORED = "restored", "Restored"
    EQUAL = "equal", "Restored and equal"


class Backup(models.Model):
    """One backup in the artifacts store. Append-only: a trigger refuses changes."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="backups")
    scope = models.CharField(max_length=20, choices=BackupScope)
    place = models.CharField(max_length=300, unique=True)  # relative to the artifacts store
    level = models.CharField(max_length=20, choices=BackupLevel)
    bytes = models.BigIntegerField()
    files = models.PositiveIntegerField()
    snapshot_at = models.DateTimeField()  # what was committed by then is in it, by the target's clock
    snapshot_lsn = models.CharField(max_length=20)
    server_version = models.PositiveIntegerField()  # as server_version_num
    client_version = models.CharField(max_length=40)  # of pg_dump
    manifest_sha256 = models.CharField(max_length=64)  # of the manifest's bytes, which name every file with its own
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="backup_scope_known", condition=Q(scope__in=BackupScope.values)),
            models.CheckConstraint(name="backup_level_known", condition=Q(level__in=BackupLevel.values)),
            models.CheckConstraint(name="backup_not_empty", condition=Q(bytes__gt=0, files__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} of {self.job}"
