"""Drop a database that was kept after a restore. Workers call it when its time is over; by hand it is harmless."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.dropping import drop_when_due


class Command(Base):
    """Drop one kept database, if its time is over."""

    help = "Drops a database that was kept after a restore, if its time is over and no job takes it back."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the primary key of the kept database."""
        parser.add_argument("kept", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Drop it, and say if it stays."""
        if not drop_when_due(options["kept"]):
            self.stdout.write(f"Kept database {options['kept']} stays: its time is not over, or a job takes it back.")
