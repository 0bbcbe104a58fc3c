"""What a worker read from a target at a moment."""

from django.db import models
from django.db.models.functions import Now

from checks.model import Schema
from checks.model.saved import from_data
from checks.schema import Hashes
from deployments.models.application import Database
from deployments.models.schema import SchemaSnapshot


class Observation(models.Model):
    """Identity, layout history, schema fingerprint and sizes of one target. Append-only: a trigger refuses changes."""

    database = models.ForeignKey(Database, models.PROTECT, related_name="observations")
    observed_at = models.DateTimeField(db_default=Now(), editable=False)
    begun_at = models.DateTimeField(null=True)  # before the target was asked; null: then at `observed_at` at the latest
    system_identifier = models.CharField(max_length=20)
    database_name = models.CharField(max_length=63)
    server_version = models.PositiveIntegerField()  # as server_version_num: 180006 is 18.6
    history = models.JSONField()  # applied migrations in order: [{"name": …, "checksum": …}]
    history_hash = models.CharField(max_length=64)
    schema = models.JSONField()  # object -> SHA-256 of its record; empty where there is a snapshot
    snapshot = models.ForeignKey(SchemaSnapshot, models.PROTECT, null=True, related_name="observations")  # since 0016
    fingerprint = models.CharField(max_length=64)  # SHA-256 over its objects
    connections = models.PositiveIntegerField()  # max_connections of the server
    sizes = models.JSONField()  # relation -> {"bytes": …, "rows_estimated": …}
    model = models.JSONField(null=True)  # the schema as `checks.model.saved` writes it; none before it was read
    # Who was in it: [{"role": …, "application": …, "sessions": …}]; null where that was not asked.
    clients = models.JSONField(null=True)
    ledger = models.JSONField(null=True)  # what the schema locktender knows of other lives; none where it is not there

    class Meta:
        indexes = [models.Index(name="observation_latest", fields=["database", "-id"])]  # plan asks for the newest

    def __str__(self) -> str:
        return f"{self.database} at {self.observed_at}"

    @property
    def objects_by_name(self) -> Hashes:
        """Object -> SHA-256 of its record, without locktender's own."""
        found: Hashes = self.schema if self.snapshot is None else self.snapshot.objects_by_name
        return found

    def schema_model(self) -> Schema | None:
        """Return the schema that was read, with sizes and traffic; None if this reading is older than that.

        Raises SnapshotUnreadable for what a later version wrote.
        """
        return None if self.model is None else from_data(self.model)
