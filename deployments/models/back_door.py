"""Alarms: a target's layout history was changed by somebody else than Locktender, and who has seen to it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from checks.back_door import Break
from deployments.models.application import Database
from deployments.models.grant import User
from deployments.models.observation import Observation


class HistoryAlarm(models.Model):
    """One migration whose place in the history no run of ours changed. Append-only: a trigger refuses changes."""

    database = models.ForeignKey(Database, models.PROTECT, related_name="alarms")
    kind = models.CharField(max_length=20, choices=[(one.value, one.value) for one in Break])
    migration = models.CharField(max_length=255)
    before = models.TextField(null=True)  # noqa: DJ001 # the checksum; "" is what a tool without any stores, null is not applied
    after = models.TextField(null=True)  # noqa: DJ001
    seen_in = models.ForeignKey(Observation, models.PROTECT, related_name="+")  # the first reading that shows it
    as_before = models.ForeignKey(Observation, models.PROTECT, related_name="+")  # the last one that did not
    raised_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="historyalarm_says_what_changed",
                condition=Q(kind="foreign", before__isnull=True, after__isnull=False)
                | Q(kind="gone", before__isnull=False, after__isnull=True)
                | Q(kind="changed", before__isnull=False, after__isnull=False),
            ),
        ]
        # The alarms of a database, newest first.
        indexes = [models.Index(name="historyalarm_of_database", fields=["database", "-id"])]

    def __str__(self) -> str:
        return f"{self.database}: {self.migration} {self.kind}"


class AlarmAnswer(models.Model):
    """Who has seen to an alarm, and what it was about: it ends the alarm. Append-only: a trigger refuses changes."""

    alarm = models.OneToOneField(HistoryAlarm, models.PROTECT, related_name="answer")
    answered_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reason = models.TextField()
    answered_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.CheckConstraint(name="alarmanswer_reason_present", condition=~Q(reason=""))]

    def __str__(self) -> str:
        return f"{self.alarm}: {self.reason}"
