"""Schemas as they were read: what one consists of is kept once, however often it was read."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Database
from deployments.models.grant import User
from deployments.models.run import Job

SHA_256 = r"^[0-9a-f]{64}$"


class SchemaRecord(models.Model):
    """One object of a schema, by the SHA-256 of its record. Append-only: a trigger refuses changes."""

    digest = models.CharField(max_length=64, primary_key=True)
    record = models.JSONField()  # as `checks.schema.Snapshot` has it, without the order of columns

    class Meta:
        constraints = [models.CheckConstraint(name="schemarecord_digest_whole", condition=Q(digest__regex=SHA_256))]

    def __str__(self) -> str:
        return self.digest[:12]


class SchemaSnapshot(models.Model):
    """Every object of a schema. Append-only: a trigger refuses changes. The same schema read again is the same row."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256 over everything below but the time
    fingerprint = models.CharField(max_length=64)  # SHA-256 over `objects`
    objects_by_name = models.JSONField()  # object -> digest of its record
    orders = models.JSONField()  # object -> its columns in order
    format = models.PositiveIntegerField()  # how records are written; those of two formats are not compared
    server_version = models.PositiveIntegerField()  # as server_version_num, without the minor
    first_read_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(name="schemasnapshot_digest_whole", condition=Q(digest__regex=SHA_256))]

    def __str__(self) -> str:
        return self.fingerprint[:12]


class Expected(models.TextChoices):
    """Why a schema is the one that a database is expected to have."""

    FIRST = "first", "It was read first"
    RUN = "run", "A run left it"
    ACCEPTED = "accepted", "Somebody accepted it"


class SchemaExpectation(models.Model):
    """The schema that a database is expected to have. Append-only: a trigger refuses changes. The newest counts."""

    database = models.ForeignKey(Database, models.PROTECT, related_name="expectations")
    snapshot = models.ForeignKey(SchemaSnapshot, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=Expected)
    job = models.ForeignKey(Job, models.PROTECT, null=True, related_name="expectations")  # the one that left it
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    rules = models.JSONField()  # what was ignored at that time, as `checks.schema.IgnoreRules` has it
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="schemaexpectation_kind_known", condition=Q(kind__in=Expected.values)),
            models.CheckConstraint(
                name="schemaexpectation_job_of_run",
                condition=Q(kind="run", job__isnull=False) | ~Q(kind="run") & Q(job__isnull=True),
            ),
            models.CheckConstraint(
                name="schemaexpectation_accepted_with_reason",
                condition=Q(kind="accepted", accepted_by__isnull=False) & ~Q(reason="")
                | ~Q(kind="accepted") & Q(accepted_by__isnull=True),
            ),
        ]
        # What a database is expected to have now.
        indexes = [models.Index(name="schemaexpectation_newest", fields=["database", "-id"])]

    def __str__(self) -> str:
        return f"{self.snapshot} of {self.database}"
