"""Read an application's migrations from its source."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.authority import Action, require
from deployments.management.base import Command as Base
from deployments.services.sync import sync
from deployments.sources import folder


class Command(Base):
    """Sync an application."""

    help = "Reads an application's migrations from its source."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the application and who acts."""
        parser.add_argument("application")
        parser.add_argument("--commit", default="")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what is new, what changed, and what was changed after it was applied."""
        application, actor = self.application(options["application"]), self.actor(options)
        require(actor, Action.SYNC, application)
        found = folder.read(application)
        result = sync(application, found=found, commit=options["commit"], actor=actor)
        count = len(found.migrations)
        self.stdout.write(f"{application.slug}: {count} migration{'' if count == 1 else 's'}, {len(result.new)} new.")
        for title, names in (
            ("new", result.new),
            ("changed", result.changed),
            ("gone from the source", result.gone),
            ("VIOLATION", result.violations),
        ):
            for name in names:
                self.stdout.write(f"  {title}: {name}")
