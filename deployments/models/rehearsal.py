"""What a rehearsal proved about the way back from exactly these scripts, on one database."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from checks.rehearsal.proof import Outcome
from deployments.models.run import Job

OUTCOMES = [(str(one), str(one).capitalize()) for one in Outcome]


class Rehearsal(models.Model):
    """One result, of the job that played it. Append-only: a trigger refuses changes."""

    job = models.OneToOneField(Job, models.PROTECT, related_name="rehearsal")
    scripts = models.CharField(max_length=64)  # `checks.rehearsal.proof.scripts_digest`: it holds for these bytes only
    outcome = models.CharField(max_length=60, choices=OUTCOMES)
    proof = models.JSONField()  # `checks.rehearsal.proof.Proof.as_evidence`
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="rehearsal_outcome_known", condition=Q(outcome__in=[one for one, _ in OUTCOMES])
            )
        ]
        # Whether a plan's way back is proven is asked by its scripts.
        indexes = [models.Index(name="rehearsal_of_scripts", fields=["scripts", "-id"])]

    def __str__(self) -> str:
        return f"{self.job}: {self.outcome}"
