"""Who people are and which role they hold where."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.application import Application, Environment


class User(AbstractUser):
    """A person who signs in. Rights come from grants alone: `is_superuser` means nothing here."""


class Role(models.TextChoices):
    """What a person may be. One person may hold several; each right is judged by itself."""

    VIEWER = "viewer", "Viewer"
    DEVELOPER = "developer", "Developer"
    DBA = "dba", "DBA"
    ARCHITECT = "architect", "Architect"
    ON_CALL = "on-call", "On-call"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Grant(models.Model):
    """A role of a person: everywhere, for one application, or for one of its environments."""

    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role)
    application = models.ForeignKey(Application, models.CASCADE, null=True, blank=True)
    environment = models.ForeignKey(Environment, models.CASCADE, null=True, blank=True)
    granted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="grant_role_known", condition=Q(role__in=Role.values)),
            models.CheckConstraint(
                name="grant_environment_names_its_application",
                condition=Q(environment__isnull=True) | Q(application__isnull=False),
            ),
            models.UniqueConstraint(
                name="grant_once",
                fields=["user", "role", "application", "environment"],
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"role {self.role} of {self.user}"
