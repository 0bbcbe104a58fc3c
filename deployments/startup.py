"""What `manage.py check`, and every command that checks first, finds wrong with this machine's configuration."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_backup_drivers(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Return an error for each backup driver whose program may not be run here."""
    drivers = settings.CONFIGURATION.backup_drivers
    if not drivers:
        return []
    from deployments.postgres.backup.command import unusable  # noqa: PLC0415 # most installations have none

    return [
        Error(
            f"The backup driver {name} cannot be run: {driver.command}: {why}.",
            hint="Correct the file or its folder, or BACKUP_DRIVERS. Every worker needs it.",
            id="deployments.E001",
        )
        for name, driver in drivers.items()
        if (why := unusable(driver.command))
    ]
