"""A person's wish to end one session of others that stands in the way of a migration, and what became of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.grant import User
from deployments.models.run import Job


class SessionOutcome(models.TextChoices):
    """What became of the wish."""

    ENDED = "ended", "Ended"
    GONE = "gone", "Already gone"
    MOVED_ON = "moved-on", "Not ended: that transaction was over"
    NOT_PERMITTED = "not-permitted", "Not ended: not permitted"
    OURS = "ours", "Refused: one of Locktender's own"
    ANTI_WRAPAROUND = "anti-wraparound", "Refused: a vacuum against wraparound"
    NOT_IN_THE_WAY = "not-in-the-way", "Not ended: no longer in the way"
    STAYS = "stays", "Told to end, still there"
    NOT_TRIED = "not-tried", "Not tried: nothing waited any more"


class SessionEnd(models.Model):
    """Who was shown in the way, who wants them gone, and why: as it was asked. The outcome is written once."""

    job = models.ForeignKey(Job, models.PROTECT, related_name="session_ends")
    pid = models.PositiveIntegerField()
    backend_start = models.DateTimeField()  # a pid alone is used again
    xact_start = models.DateTimeField(null=True)  # another transaction of that session is another one's work
    shown_user = models.CharField(max_length=120, blank=True)
    shown_application = models.CharField(max_length=120, blank=True)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reason = models.TextField()
    request_key = models.UUIDField(unique=True)  # a double submit dies here
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    outcome = models.CharField(max_length=20, choices=SessionOutcome, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)  # set exactly with the outcome

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="sessionend_reason_present", condition=~Q(reason="")),
            models.CheckConstraint(
                name="sessionend_outcome_known", condition=Q(outcome="") | Q(outcome__in=SessionOutcome.values)
            ),
            models.CheckConstraint(
                name="sessionend_done_exactly_with_its_outcome",
                condition=Q(outcome="", done_at__isnull=True) | (~Q(outcome="") & Q(done_at__isnull=False)),
            ),
            # One wish at a time about one session: the second person finds the first one's.
            models.UniqueConstraint(
                name="sessionend_once_at_a_time",
                fields=["job", "pid", "backend_start"],
                condition=Q(done_at__isnull=True),
            ),
        ]
        # An executor asks with each sign of life whether there is one.
        indexes = [models.Index(name="sessionend_open", fields=["job"], condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.job}: end of pid {self.pid}"
