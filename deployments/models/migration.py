"""What a team wrote: scripts by content, migrations as pairs of them, releases as ordered lists."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Application


class Script(models.Model):
    """The raw bytes of one file, addressed by their SHA-256. Never changed: a trigger refuses it."""

    sha256 = models.CharField(max_length=64, primary_key=True)  # lower-case hex; the database checks it against `body`
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.sha256[:12]

    def text(self) -> str:
        """Return the script as text. Sync admits UTF-8 only."""
        return bytes(self.body).decode("utf-8")


class Migration(models.Model):
    """A forward script with its way back, checks and notes, as they were found together.

    Other bytes under the same name are another row: what was approved and what was applied stay readable for ever.
    """

    application = models.ForeignKey(Application, models.PROTECT, related_name="migrations")
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=255)  # as the layout orders by; compare within one layout only
    digest = models.CharField(max_length=64)  # SHA-256 over the hashes of the scripts
    checksum = models.CharField(max_length=64)  # of the forward bytes, as the layout's own tool computes it
    forward = models.ForeignKey(Script, models.PROTECT, related_name="+")
    rollback = models.ForeignKey(Script, models.PROTECT, null=True, blank=True, related_name="+")
    verify = models.ForeignKey(Script, models.PROTECT, null=True, blank=True, related_name="+")
    notes = models.ForeignKey(Script, models.PROTECT, null=True, blank=True, related_name="+")
    synced_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="migration_content_once", fields=["application", "name", "digest"]),
            models.CheckConstraint(name="migration_name_present", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """The ordered migrations of one application as one sync found them. The newest is what the source holds now.

    Content that comes back, after a revert, is a release of its own: which one is the newest has to be true.
    """

    application = models.ForeignKey(Application, models.PROTECT, related_name="releases")
    commit = models.CharField(max_length=64, blank=True)  # "" for a plain folder
    digest = models.CharField(max_length=64)  # SHA-256 over the ordered migration digests
    migrations = models.ManyToManyField(Migration, through="ReleaseMigration")
    smoke = models.ForeignKey(
        Script, models.PROTECT, null=True, blank=True, related_name="+"
    )  # read after every deploy
    # Beside the migrations too: what masks the data of a copy, and the application's queries.
    masking = models.ForeignKey(Script, models.PROTECT, null=True, blank=True, related_name="+")
    queries = models.ForeignKey(Script, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.commit[:12] or self.digest[:12]


class ReleaseMigration(models.Model):
    """The place of a migration in a release."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="entries")
    migration = models.ForeignKey(Migration, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(name="release_position_once", fields=["release", "position"]),
            models.UniqueConstraint(name="release_migration_once", fields=["release", "migration"]),
        ]

    def __str__(self) -> str:
        return f"{self.release} {self.position}: {self.migration}"
