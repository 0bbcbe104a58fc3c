"""Drop what dead executors left on a rehearsal server. Workers call it every hour; by hand it is harmless."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.clearing import drop_left


class Command(Base):
    """Drop the copies that are left on the rehearsal server of a database's environment."""

    help = "Drops copies that executors which died left on the rehearsal server of a database's environment."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the primary key of the database."""
        parser.add_argument("database", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Drop them, and print their names."""
        for name in drop_left(options["database"]):
            self.stdout.write(f"Dropped {name}.")
