"""Read one target and keep what was read."""

from typing import Any

from django.core.management.base import CommandParser

from checks.model.saved import NUMBERS_PER_MAJOR
from checks.words import counted
from deployments.management.base import Command as Base
from deployments.pipelines.observing import observe_place


class Command(Base):
    """Observe a database."""

    help = "Reads a target and keeps what was read."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT/DATABASE."""
        parser.add_argument("database")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what was found."""
        seen = observe_place(self.database(options["database"]), actor=self.actor(options))
        version = f"{seen.server_version // NUMBERS_PER_MAJOR}.{seen.server_version % NUMBERS_PER_MAJOR}"
        self.stdout.write(
            f"{seen.database}: PostgreSQL {version}, {counted(len(seen.history), 'migration')} applied, "
            f"schema {seen.fingerprint[:12]} of {counted(len(seen.objects_by_name), 'object')}."
        )
