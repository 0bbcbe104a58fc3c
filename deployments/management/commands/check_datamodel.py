"""Compare what the migrations of an application make with its schema.prisma."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.datamodels import check_datamodel


class Command(Base):
    """Say whether the migrations produce the data model."""

    help = "Compares what the migrations of the newest release make of an empty database with schema.prisma."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the application."""
        parser.add_argument("application")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what came of it."""
        application = self.application(options["application"])
        kept = check_datamodel(application, actor=self.actor(options))
        if kept is None:
            self.stdout.write(f"{application.slug}: there is no release with a schema.prisma. Nothing was compared.")
            return
        self.stdout.write(f"{application.slug}: {kept.get_outcome_display()}. {kept.found['why']}".rstrip())
        for line in kept.found["missing"]:
            self.stdout.write(f"  {line}")
        for line in kept.found["more"]:
            self.stdout.write(f"  besides: {line}")
