"""The Django application of the feature package."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """Everything that acts or remembers."""

    name = "deployments"
