"""Who may change the schema of a target, as it was read: kept again only when it has changed."""

from django.db import models
from django.db.models.functions import Now

from deployments.models.application import Database


class TargetAccess(models.Model):
    """Owners, memberships and grants that let somebody change a schema. Append-only: a trigger refuses changes."""

    database = models.ForeignKey(Database, models.PROTECT, related_name="accesses")
    content = models.JSONField()  # as `deployments.postgres.access` writes it
    digest = models.CharField(max_length=64)  # SHA-256 of it: the same reading is kept once
    read_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        # How it is now, as last read.
        indexes = [models.Index(name="targetaccess_newest", fields=["database", "-id"])]

    def __str__(self) -> str:
        return f"Access to {self.database}"
