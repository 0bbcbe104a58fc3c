"""Whether the dispatcher or the worker of this machine works, for the health check of a container."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.signs_of_life import GRACE, name_here, require_sign_of_life


class Command(Base):
    """Exit with 0 if it told the control database lately that it works."""

    help = "Exits with 0 if the dispatcher or the worker of this machine works, else with 1."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take which of them."""
        parser.add_argument("program", choices=("dispatcher", "worker"))

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask the control database, and refuse if there is no recent sign of life."""
        within = max(GRACE, 3 * settings.CONFIGURATION.sweep)
        require_sign_of_life(name_here(options["program"]), within=within)
