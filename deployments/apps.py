"""The Django application of the feature package."""

from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """Everything that acts or remembers."""

    name = "deployments"

    def ready(self) -> None:
        """Have the configuration checked where commands check it."""
        from deployments import startup  # noqa: F401, PLC0415 # it registers itself, and reads models' settings
