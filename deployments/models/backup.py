"""A copy of a target that was kept before it was changed: where it is, how far it is proven, and how long it stays."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.grant import User
from deployments.models.run import Job


class BackupScope(models.TextChoices):
    """How much of the database a backup holds."""

    DATABASE = "database", "Whole database"
    TABLES = "tables", "What the script destroys"
    SERVER = "server", "Whole server, by a driver"


class BackupLevel(models.TextChoices):
    """How far a backup has been proven. Only the last one is called verified (DESIGN, section 8)."""

    DRIVER = "driver", "Made by a driver, not restored by us"
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
    client_version = models.CharField(max_length=40)  # of pg_dump; of a driver what it says of itself
    driver = models.CharField(max_length=40, default="pg_dump")  # its name in the configuration of the workers
    restore_point = models.CharField(max_length=500, blank=True)  # to which a driver's backup can be brought
    manifest_sha256 = models.CharField(max_length=64)  # of the manifest's bytes, which name every file with its own
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="backup_scope_known", condition=Q(scope__in=BackupScope.values)),
            models.CheckConstraint(name="backup_level_known", condition=Q(level__in=BackupLevel.values)),
            models.CheckConstraint(
                name="backup_of_a_driver_has_a_point", condition=~Q(scope=BackupScope.SERVER) | ~Q(restore_point="")
            ),
            models.CheckConstraint(name="backup_not_empty", condition=Q(bytes__gt=0, files__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} of {self.job}"


class CheckOutcome(models.TextChoices):
    """What came of trying a backup."""

    READABLE = "readable", "Every file is as the manifest says"
    RESTORED = "restored", "Restored, and not all of it could be compared"
    SAMPLED = "sampled", "Restored, and a sample of it compared"
    VOUCHED = "vouched", "Restored by its driver, as that says"
    EQUAL = "equal", "Restored and equal"
    DAMAGED = "damaged", "Damaged or missing"
    DIFFERENT = "different", "Restored and different"
    UNREACHABLE = "unreachable", "The store could not be read"


UNSOUND = frozenset({CheckOutcome.DAMAGED, CheckOutcome.DIFFERENT, CheckOutcome.UNREACHABLE})
"""After one of these a backup is no way back, until a later check finds it sound."""


class BackupCheck(models.Model):
    """One try of a backup, and what came of it. Append-only: a trigger refuses changes."""

    backup = models.ForeignKey(Backup, models.PROTECT, related_name="checks")
    outcome = models.CharField(max_length=20, choices=CheckOutcome)
    found = models.JSONField(default=dict)  # what differed or was damaged, and how long it took
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="backupcheck_outcome_known", condition=Q(outcome__in=CheckOutcome.values)),
        ]
        # A list of backups shows what was last found out about each.
        indexes = [models.Index(name="backupcheck_newest", fields=["backup", "-id"])]

    def __str__(self) -> str:
        return f"{self.backup}: {self.get_outcome_display()}"


class BackupHold(models.Model):
    """A person's word that a backup stays, or may go again. The newest counts; append-only."""

    backup = models.ForeignKey(Backup, models.PROTECT, related_name="holds")
    is_held = models.BooleanField()
    reason = models.TextField()
    said_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    said_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(name="backuphold_reason_present", condition=~Q(reason=""))]
        indexes = [models.Index(name="backuphold_newest", fields=["backup", "-id"])]

    def __str__(self) -> str:
        return f"{self.backup}: {'held' if self.is_held else 'not held'}"


class BackupExpiry(models.Model):
    """That the files of a backup were removed, by the rule that is named. Its record stays; append-only."""

    backup = models.OneToOneField(Backup, models.PROTECT, related_name="expiry")
    rule = models.TextField()
    expired_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.backup}: expired"
