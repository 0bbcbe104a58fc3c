"""What tells whether an environment's application is well."""

from django.db import models
from django.db.models import Q

from checks.health import Expectation
from deployments.models.application import Environment


class HealthCheck(models.Model):
    """One address of an environment that answers for its application, and what it must answer."""

    environment = models.OneToOneField(Environment, models.CASCADE, related_name="health_check")
    url = models.CharField(max_length=500)  # as deployments.addresses reads it
    status = models.PositiveSmallIntegerField(default=200)
    json_path = models.CharField(max_length=200, blank=True)  # dotted: "database.status"; "" asks nothing
    json_value = models.CharField(max_length=200, blank=True)  # what stands there, as text
    text = models.CharField(max_length=200, blank=True)  # occurs in the body
    version_path = models.CharField(max_length=200, blank=True)  # where the answer carries the application's version
    latency_path = models.CharField(max_length=200, blank=True)  # where it carries a latency in milliseconds

    class Meta:
        constraints = [
            models.CheckConstraint(name="health_status_is_http", condition=Q(status__gte=100, status__lte=599)),
            models.CheckConstraint(name="health_value_has_its_path", condition=Q(json_value="") | ~Q(json_path="")),
        ]

    def __str__(self) -> str:
        return f"{self.environment}: {self.url}"

    def expectation(self) -> Expectation:
        """Return what is asked, as plain values."""
        return Expectation(
            url=self.url,
            status=self.status,
            json_path=self.json_path,
            json_value=self.json_value,
            text=self.text,
            version_path=self.version_path,
            latency_path=self.latency_path,
        )
