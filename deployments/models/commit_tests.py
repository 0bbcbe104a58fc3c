"""What CI said of the application's own tests on one commit."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Application
from deployments.models.grant import User

COMMIT = r"^([0-9a-f]{40}|[0-9a-f]{64})$"
"""A whole commit as Git names it, by SHA-1 or SHA-256: a short name may mean another one tomorrow."""


class CommitTests(models.Model):
    """One report about the tests of an application on one commit. Append-only: of several, the newest counts."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="reported_tests")
    commit = models.CharField(max_length=64)
    passed = models.BooleanField()
    url = models.CharField(max_length=500, blank=True)  # where the whole result stands
    reason = models.TextField(blank=True)
    reported_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reported_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="committests_commit_whole", condition=Q(commit__regex=COMMIT)),
            models.CheckConstraint(
                name="committests_url_is_web", condition=Q(url="") | Q(url__regex=r"^https?://[^[:space:]]+$")
            ),
        ]
        # The newest report about a commit.
        indexes = [models.Index(name="committests_newest", fields=["application", "commit", "-id"])]

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'failed'} on {self.commit[:12]}"
